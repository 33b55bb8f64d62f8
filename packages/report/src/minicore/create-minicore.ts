import type { CrashAnalysis } from '../crash-analysis.ts'
import { AT, NT, align4 } from '../elf/notes.ts'
import { EHDR_BYTES, PF_R, PF_X, PT_LOAD, PT_NOTE, integers } from '../elf/elf-header.ts'
import type { Module } from '../modules/module.ts'
import { linkMap } from './link-map.ts'
import { stackPieces, type Piece } from './stack-pieces.ts'
import type { SegmentTable } from '../core/segment-table.ts'

const DEFAULT_MAX_BYTES = 4 * 1024 * 1024
const MAX_MODULES = 512
/** Of ranges of memory; an ELF header counts up to 65,534. */
const MAX_PIECES = 16_384
const PHDR_BYTES = 56
const VDSO_BYTES = 16_384
/** elf_prpsinfo of 64 bits: pr_psargs is the last field. */
const PSARGS_AT = 56
const NOTHING = Buffer.alloc(0)
const NO_PIECE: Piece = { vaddr: 0, bytes: NOTHING, flags: 0 }

export interface MinicoreOptions {
  /** Of stacks and first pages together. @default 4 MiB */
  readonly maxBytes?: number
}

/**
 * A core file with the registers of all threads and the memory of their frames: enough for `bt` of gdb and
 * lldb. It has no heap, no environment, no arguments and no vector registers. Undefined for machines
 * whose stacks are not unwound.
 */
export function createMinicore(
  analysis: CrashAnalysis,
  { maxBytes = DEFAULT_MAX_BYTES }: MinicoreOptions = {},
): Buffer | undefined {
  if (analysis.architecture === undefined) return undefined
  const modules = modulesOf(analysis)
  const pieces: Piece[] = [...linkMap(analysis, modules), ...vdsoPiece(analysis)]
  let left = maxBytes - pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const add = (piece: Piece): boolean => {
    if (piece.bytes.length === 0 || piece.bytes.length > left) return piece.bytes.length === 0
    left -= piece.bytes.length
    pieces.push(piece)
    return true
  }
  // the crashing thread first, then what names its frames
  stackPieces(analysis, 0, left).forEach(add)
  for (const module of modules) {
    const flags = analysis.facts.segments.isExecutable(module.start) ? PF_R | PF_X : PF_R
    if (!add({ vaddr: module.start, bytes: module.firstPage(), flags })) break
  }
  for (let index = 1; index < analysis.facts.threads.length; index++) {
    if (analysis.budget.isOver || pieces.length > MAX_PIECES) break
    if (!stackPieces(analysis, index, left).every(add)) break
  }
  const kept = withoutOverlaps(pieces)
  const ranges = codeRanges(modules, analysis.facts.segments, kept)
  return assemble(analysis, [...kept, ...ranges].slice(0, MAX_PIECES))
}

/** ELF files, those that frames are in first. */
function modulesOf(analysis: CrashAnalysis): Module[] {
  const { stacks, executable } = analysis
  const found = new Set<Module>(executable ? [executable] : [])
  for (const stack of stacks) {
    for (const { module } of stack?.frames ?? []) if (module) found.add(module)
  }
  for (const module of analysis.loadedModules()) {
    if (found.size >= MAX_MODULES) break
    found.add(module)
  }
  return [...found].filter(({ path, isElf }) => path !== '[vdso]' && isElf).slice(0, MAX_MODULES)
}

function vdsoPiece({ facts, memory }: CrashAnalysis): Piece[] {
  const vaddr = facts.auxv.get(AT.SYSINFO_EHDR)
  if (vaddr === undefined) return []
  const segment = facts.segments.find(vaddr)
  const bytes = memory.read(vaddr, Math.min(VDSO_BYTES, segment?.memsz ?? VDSO_BYTES))
  return bytes.length === 0 ? [] : [{ vaddr, bytes, flags: PF_R | PF_X }]
}

/**
 * Where the code of the modules was, without its bytes, as in a core of the kernel: a reader of the minicore
 * knows by it which files are modules. `pieces` are in order of address, and stay free of overlaps.
 */
function codeRanges(
  modules: readonly Module[],
  segments: SegmentTable,
  pieces: readonly Piece[],
): Piece[] {
  const code = modules
    .flatMap(({ mappings }) => mappings.filter(({ start }) => segments.isExecutable(start)))
    .toSorted((a, b) => a.start - b.start)
  const ranges: Piece[] = []
  let from = 0
  let next = 0
  const add = (to: number): void => {
    if (to <= from) return
    ranges.push({ vaddr: from, bytes: NOTHING, memoryBytes: to - from, flags: PF_R | PF_X })
  }
  for (const { start, end } of code) {
    // a core may list a range twice
    from = Math.max(from, start)
    for (; next < pieces.length; next++) {
      const { vaddr, bytes } = pieces[next] ?? NO_PIECE
      if (vaddr >= end) break
      if (vaddr + bytes.length <= from) continue
      add(vaddr)
      from = vaddr + bytes.length
    }
    add(end)
    from = Math.max(from, end)
  }
  return ranges
}

/** In order of address, and none reaches into the next: debuggers read the first that has an address. */
function withoutOverlaps(pieces: readonly Piece[]): Piece[] {
  const clean: Piece[] = []
  let end = 0
  for (const piece of pieces.toSorted((a, b) => a.vaddr - b.vaddr)) {
    const skip = Math.max(0, end - piece.vaddr)
    if (skip >= piece.bytes.length) continue
    const kept = { ...piece, vaddr: piece.vaddr + skip, bytes: piece.bytes.subarray(skip) }
    clean.push(kept)
    end = kept.vaddr + kept.bytes.length
  }
  return clean
}

function assemble({ facts }: CrashAnalysis, pieces: readonly Piece[]): Buffer {
  const { header, notes } = facts
  const tableBytes = (pieces.length + 1) * PHDR_BYTES
  const pieceBytes = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const core = Buffer.alloc(EHDR_BYTES + tableBytes + notes.length + pieceBytes)
  header.copy(core)
  core.writeBigUInt64LE(BigInt(EHDR_BYTES), 32)
  // no section headers
  core.writeBigUInt64LE(0n, 40)
  core.writeUInt16LE(PHDR_BYTES, 54)
  core.writeUInt16LE(pieces.length + 1, 56)
  core.fill(0, 58, 64)
  let at = EHDR_BYTES
  let offset = EHDR_BYTES + tableBytes
  const put = (type: number, { flags, vaddr, bytes, memoryBytes = bytes.length }: Piece): void => {
    core.writeUInt32LE(type, at)
    core.writeUInt32LE(flags, at + 4)
    core.writeBigUInt64LE(BigInt(offset), at + 8)
    core.writeBigUInt64LE(BigInt(vaddr), at + 16)
    core.writeBigUInt64LE(BigInt(bytes.length), at + 32)
    core.writeBigUInt64LE(type === PT_LOAD ? BigInt(memoryBytes) : 0n, at + 40)
    core.writeBigUInt64LE(type === PT_LOAD ? 1n : 4n, at + 48)
    at += PHDR_BYTES
    offset += bytes.copy(core, offset)
  }
  put(PT_NOTE, { flags: 0, vaddr: 0, bytes: notes })
  blankArguments(core.subarray(offset - notes.length, offset))
  for (const piece of pieces) put(PT_LOAD, piece)
  return core
}

/** Removes the arguments of the program from notes. */
function blankArguments(notes: Buffer): void {
  const read = integers({ bits: 64, littleEndian: true })
  for (let at = 0; at + 12 <= notes.length;) {
    const desc = at + 12 + align4(read.u32(notes, at))
    const end = desc + align4(read.u32(notes, at + 4))
    if (end > notes.length) break
    if (read.u32(notes, at + 8) === NT.PRPSINFO) notes.fill(0, Math.min(desc + PSARGS_AT, end), end)
    at = end
  }
}
