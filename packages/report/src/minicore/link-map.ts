import type { CrashAnalysis } from '../crash-analysis.ts'
import { AT } from '../elf/notes.ts'
import { readU64 } from '../elf/byte-source.ts'
import {
  EHDR_BYTES,
  integers,
  parseElfHeader,
  parseProgramHeader,
  PF_W,
  PT_DYNAMIC,
  PT_LOAD,
} from '../elf/elf-header.ts'
import type { Module } from '../modules/module.ts'
import type { Piece } from './stack-pieces.ts'

/** No process has memory here: vm.mmap_min_addr. */
const LIST_AT = 0x10000
const R_DEBUG_BYTES = 64
const NODE_BYTES = 40
const DT_DEBUG = 21
const DYNAMIC_ENTRY_BYTES = 16
const MAX_DYNAMIC_BYTES = 8192
const LITTLE_64 = integers({ bits: 64, littleEndian: true })

interface Linked {
  readonly module: Module
  /** What is added to addresses of the file, as ld.so has it. */
  readonly base: number
  readonly dynamic: number
  readonly dynamicBytes: number
}

/**
 * A list of the loaded modules for debuggers, made from the mappings: the one of ld.so lies in the heap.
 * The program's DT_DEBUG is made to point to it. Empty for a static program, which needs none.
 */
export function linkMap(analysis: CrashAnalysis, modules: readonly Module[]): Piece[] {
  const { executable, facts } = analysis
  const linked = modules.flatMap((module) => linkedOf(module) ?? [])
  const program = linked.find(({ module }) => module === executable)
  if (program === undefined) return []
  const dynamic = patchedDynamic(program, analysis)
  if (dynamic === undefined) return []
  const list = [program, ...linked.filter((entry) => entry !== program)]
  return [
    { vaddr: LIST_AT, bytes: listBytes(list, facts.auxv.get(AT.BASE) ?? 0), flags: 4 },
    dynamic,
  ]
}

function linkedOf(module: Module): Linked | undefined {
  const page = module.firstPage()
  const header = parseElfHeader(page.subarray(0, EHDR_BYTES))
  if (header?.bits !== 64 || !header.littleEndian || module.path === '[vdso]') return undefined
  const headers = Array.from({ length: Math.min(header.phnum, 64) }, (_, index) => index)
    .map((index) => header.phoff + index * 56)
    .filter((at) => at + 56 <= page.length)
    .map((at) => parseProgramHeader(page, at, LITTLE_64))
  const load = headers.find(({ type }) => type === PT_LOAD)
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC)
  if (load === undefined || dynamic === undefined) return undefined
  const base = module.start - Math.floor(load.vaddr / 4096) * 4096
  const { vaddr, memsz } = dynamic
  if (!isAddress(base + vaddr)) return undefined
  return { module, base, dynamic: base + vaddr, dynamicBytes: Math.min(memsz, MAX_DYNAMIC_BYTES) }
}

/** r_debug, then the nodes of link_map, then their names; link.h. */
function listBytes(list: readonly Linked[], loaderBase: number): Buffer {
  // the program itself has no name in the list
  const names = list.map(({ module }, index) =>
    Buffer.from(index === 0 ? '\0' : `${module.path}\0`),
  )
  const namesAt = R_DEBUG_BYTES + list.length * NODE_BYTES
  const bytes = Buffer.alloc(namesAt)
  const word = (at: number, value: number): void => {
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at)
  }
  const nodeAt = (index: number): number => LIST_AT + R_DEBUG_BYTES + index * NODE_BYTES
  bytes.writeUInt32LE(1, 0)
  word(8, nodeAt(0))
  word(32, loaderBase)
  let name = LIST_AT + namesAt
  list.forEach(({ base, dynamic }, index) => {
    const at = R_DEBUG_BYTES + index * NODE_BYTES
    word(at, base)
    word(at + 8, name)
    word(at + 16, dynamic)
    word(at + 24, index + 1 < list.length ? nodeAt(index + 1) : 0)
    word(at + 32, index > 0 ? nodeAt(index - 1) : 0)
    name += names[index]?.length ?? 0
  })
  return Buffer.concat([bytes, ...names])
}

/** The program's dynamic section, of the core or else of its file, with DT_DEBUG pointing to our list. */
function patchedDynamic(program: Linked, { memory }: CrashAnalysis): Piece | undefined {
  const { module, dynamic, dynamicBytes } = program
  const inCore = memory.read(dynamic, dynamicBytes)
  const offset = module.elf?.offsetOf(dynamic - program.base)
  const found =
    inCore.length === dynamicBytes || offset === undefined
      ? inCore
      : (module.elf?.source.read(offset, dynamicBytes) ?? inCore)
  const bytes = Buffer.from(found)
  for (let at = 0; at + DYNAMIC_ENTRY_BYTES <= bytes.length; at += DYNAMIC_ENTRY_BYTES) {
    const tag = readU64(bytes, at)
    if (tag === 0) break
    if (tag === DT_DEBUG) {
      bytes.writeBigUInt64LE(BigInt(LIST_AT), at + 8)
      return { vaddr: dynamic, bytes, flags: 4 | PF_W }
    }
  }
  return undefined
}

/** Of a process, and not the result of headers that lie. */
function isAddress(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
