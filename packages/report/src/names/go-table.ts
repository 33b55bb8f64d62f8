import { readCString, readU64 } from '../elf/byte-source.ts'
import type { ElfFile } from '../elf/elf-file.ts'
import type { Budget } from '../unwind/budget.ts'

/** `.gopclntab` since Go 1.20. */
const MAGIC = 0xfffffff1
const HEADER_BYTES = 72
const MAX_NAME_BYTES = 512
const MAX_TABLE_BYTES = 4096
const MAX_CACHED = 512
/** Flags of a function: the outermost of its stack; writes the stack pointer itself. */
const TOP_FRAME = 1
const WRITES_SP = 2

/** A function of Go. */
export interface GoFunction {
  readonly name: string
  /** In the module's numbering. */
  readonly start: number
  readonly isOutermost: boolean
  /** Bytes between the stack pointer at `vaddr` and the return address; undefined when the table does not say. */
  frameBytes(vaddr: number): number | undefined
}

/** Go's table of functions, which survives stripping. */
export interface GoTable {
  find(vaddr: number, budget: Budget): GoFunction | undefined
}

export function openGoTable(elf: ElfFile): GoTable | undefined {
  const section = elf.section('.gopclntab') ?? elf.section('.data.rel.ro.gopclntab')
  if (section === undefined) return undefined
  const { offset, size } = section
  const read = (at: number, length: number): Buffer =>
    at >= 0 && at < size
      ? elf.source.read(offset + at, Math.min(length, size - at))
      : Buffer.alloc(0)
  const header = read(0, HEADER_BYTES)
  if (header.length < HEADER_BYTES || header.readUInt32LE(0) !== MAGIC) return undefined
  const quantum = header[6] ?? 1
  const count = readU64(header, 8)
  // Go 1.26 leaves textStart empty
  const text = readU64(header, 24) || (elf.section('.text')?.addr ?? 0)
  const namesAt = readU64(header, 32)
  const tablesAt = readU64(header, 56)
  const functionsAt = readU64(header, 64)
  const entryOf = (index: number): number => {
    const entry = read(functionsAt + index * 8, 4)
    return entry.length < 4 ? NaN : text + entry.readUInt32LE(0)
  }
  const cache = new Map<number, GoFunction | undefined>()
  const load = (index: number): GoFunction | undefined => {
    const entry = read(functionsAt + index * 8, 8)
    if (entry.length < 8) return undefined
    const func = read(functionsAt + entry.readUInt32LE(4), 44)
    if (func.length < 44) return undefined
    const start = text + entry.readUInt32LE(0)
    const flags = func[41] ?? 0
    const pcsp = func.readUInt32LE(16)
    return {
      name: readCString(read(namesAt + func.readInt32LE(4), MAX_NAME_BYTES), 0, MAX_NAME_BYTES),
      start,
      isOutermost: (flags & TOP_FRAME) !== 0,
      frameBytes: (vaddr) =>
        pcsp === 0 || (flags & WRITES_SP) !== 0
          ? undefined
          : valueAt(read(tablesAt + pcsp, MAX_TABLE_BYTES), start, vaddr, quantum),
    }
  }
  return {
    find(vaddr, budget) {
      if (!(vaddr >= text) || !(count > 0 && count * 8 <= size)) return undefined
      let low = 0
      let high = count
      while (high - low > 1) {
        if (!budget.spend(1)) return undefined
        const middle = Math.floor((low + high) / 2)
        if (entryOf(middle) <= vaddr) low = middle
        else high = middle
      }
      // the last entry of the table is where the code ends
      if (!(vaddr < entryOf(low + 1))) return undefined
      if (!cache.has(low)) {
        if (cache.size > MAX_CACHED) cache.clear()
        cache.set(low, load(low))
      }
      return cache.get(low)
    },
  }
}

/** A table of Go: pairs of differences, of a value and of the code address up to which it holds. */
function valueAt(
  table: Buffer,
  start: number,
  wanted: number,
  quantum: number,
): number | undefined {
  let at = 0
  let value = -1
  let vaddr = start
  const next = (): number => {
    let result = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = table[at++]
      if (byte === undefined) return NaN
      result += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    return result
  }
  for (let first = true; ; first = false) {
    const difference = next()
    if (Number.isNaN(difference) || (difference === 0 && !first)) return undefined
    value += difference % 2 === 1 ? -(difference + 1) / 2 : difference / 2
    const step = next()
    if (Number.isNaN(step)) return undefined
    vaddr += step * quantum
    if (wanted < vaddr) return value
  }
}
