import type { Module } from '../modules/module.ts'
import type { Budget } from '../unwind/budget.ts'
import { lookupAddress, type Frame } from '../unwind/frame.ts'
import { readCString } from '../elf/byte-source.ts'
import type { ElfFile } from '../elf/elf-file.ts'

const ENTRY_WORDS = 6
const PIECE_BYTES = 24 * 4096
const MAX_TABLE_BYTES = 64 * 1024 * 1024
const MAX_NAME_BYTES = 1024
/** Of all names together; those that come later are cut to what a report has of them. */
const MAX_NAMES_BYTES = 1024 * 1024
const SHORT_NAME_BYTES = 300
/** A symbol without a size reaches this far. */
const MAX_REACH_BYTES = 4096
const STT_NOTYPE = 0
const STT_FUNC = 2
const STT_GNU_IFUNC = 10
const STB_GLOBAL = 1

interface SymbolName {
  readonly name: string
  /** In the module's numbering. */
  readonly value: number
}

interface Candidate {
  readonly value: number
  readonly size: number
  readonly nameAt: number
  readonly isGlobal: boolean
}

/** Gives frames the names of their functions, module by module; raw names, as compilers made them. */
export function nameFrames(frames: readonly Frame[], budget: Budget): void {
  const byModule = new Map<Module, Frame[]>()
  for (const frame of frames) {
    if (frame.module === undefined || frame.symbol !== undefined) continue
    const known = byModule.get(frame.module)
    if (known) known.push(frame)
    else byModule.set(frame.module, [frame])
  }
  const kept = { bytes: 0 }
  for (const [module, found] of byModule) {
    // headers of a file, and the first piece of its table
    if (!budget.spend(500)) return
    nameFramesOf(module, found, budget, kept)
  }
}

function nameFramesOf(
  module: Module,
  frames: readonly Frame[],
  budget: Budget,
  kept: { bytes: number },
): void {
  const { elf, go } = module
  if (elf === undefined) return
  const symbols = findSymbols(elf, frames.map(lookup), budget, kept)
  for (const frame of frames) {
    const address = lookup(frame)
    const func = symbols.get(address) ?? goName(go?.find(address, budget))
    if (func === undefined || frame.vaddr === undefined) continue
    frame.symbol = func.name
    frame.plus = frame.vaddr - func.value
  }
}

function lookup(frame: Frame): number {
  return lookupAddress(frame, frame.vaddr ?? NaN)
}

function goName(
  func: { readonly name: string; readonly start: number } | undefined,
): { readonly name: string; readonly value: number } | undefined {
  return func === undefined || func.name === '' ? undefined : { name: func.name, value: func.start }
}

/**
 * Names for a few addresses: reads `.symtab`, else `.dynsym`, in pieces and keeps the best symbol for each
 * address, so that the table is never held.
 */
function findSymbols(
  elf: ElfFile,
  wanted: readonly number[],
  budget: Budget,
  kept: { bytes: number },
): Map<number, SymbolName> {
  const names = new Map<number, SymbolName>()
  const table = elf.section('.symtab') ?? elf.section('.dynsym')
  const strings = table && elf.linked(table)
  if (table === undefined || strings === undefined || wanted.length === 0) return names
  const addresses = Float64Array.from(new Set(wanted)).toSorted()
  const best: (Candidate | undefined)[] = Array.from(addresses, () => undefined)
  const size = Math.min(table.size, MAX_TABLE_BYTES)
  // one piece for the whole table: typed arrays are several times faster than reads of a Buffer
  const piece = new Uint8Array(PIECE_BYTES)
  const words = new Uint32Array(piece.buffer)
  for (let at = 0; at < size; at += PIECE_BYTES) {
    const bytes = elf.source.readInto(
      piece.subarray(0, Math.min(PIECE_BYTES, size - at)),
      table.offset + at,
    )
    const found = words.subarray(0, Math.floor(bytes / 24) * ENTRY_WORDS)
    if (!scanPiece(found, addresses, best, budget)) break
  }
  best.forEach((candidate, index) => {
    const address = addresses[index]
    if (candidate === undefined || address === undefined) return
    const maxBytes = kept.bytes < MAX_NAMES_BYTES ? MAX_NAME_BYTES : SHORT_NAME_BYTES
    const bytes = elf.source.read(strings.offset + candidate.nameAt, maxBytes)
    const name = readCString(bytes, 0, maxBytes)
    kept.bytes += name.length
    if (name !== '') names.set(address, { name, value: candidate.value })
  })
  return names
}

/** False when the budget is spent. */
function scanPiece(
  words: Uint32Array,
  addresses: Float64Array,
  best: (Candidate | undefined)[],
  budget: Budget,
): boolean {
  const first = addresses[0] ?? 0
  const last = addresses.at(-1) ?? 0
  for (let at = 0; at < words.length; at += ENTRY_WORDS) {
    // half a unit an entry: most end here
    if ((at & 0xfff) === 0 && !budget.spend(340)) return false
    const value = (words[at + 2] ?? 0) + (words[at + 3] ?? 0) * 2 ** 32
    if (value > last) continue
    const info = words[at + 1] ?? 0
    const kind = info & 15
    if (kind !== STT_FUNC && kind !== STT_NOTYPE && kind !== STT_GNU_IFUNC) continue
    const size = words[at + 4] ?? 0
    const end = value + (size === 0 ? MAX_REACH_BYTES : size)
    // an undefined symbol has no section
    if (end <= first || info >>> 16 === 0) continue
    for (let index = firstFrom(addresses, value); index < addresses.length; index++) {
      if ((addresses[index] ?? 0) >= end) break
      const isGlobal = ((info >> 4) & 15) === STB_GLOBAL
      const candidate = { value, size, nameAt: words[at] ?? 0, isGlobal }
      if (isBetter(candidate, best[index])) best[index] = candidate
      if (!budget.spend(1)) return false
    }
  }
  return true
}

/** Index of the first address that is not below `value`. */
function firstFrom(addresses: Float64Array, value: number): number {
  let low = 0
  let high = addresses.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((addresses[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** A symbol whose size covers the address, then the nearest, then the global one. */
function isBetter(candidate: Candidate, best: Candidate | undefined): boolean {
  if (best === undefined) return true
  if (candidate.size > 0 !== best.size > 0) return candidate.size > 0
  if (candidate.value !== best.value) return candidate.value > best.value
  return candidate.isGlobal && !best.isGlobal
}
