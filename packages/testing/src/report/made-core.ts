import { coreImage } from '../core-image.ts'
import type { MappedFile } from './rewrite-core.ts'

/** Memory of a core that is made. */
export interface MadeSegment {
  readonly vaddr: number
  /** p_flags: 1 code, 2 writable, 4 readable. */
  readonly flags: number
  readonly bytes: Buffer
  /** @default bytes.length */
  readonly memoryBytes?: number
}

export interface MadeCoreOptions {
  /** @default 64 */
  readonly bits?: 32 | 64
  /** @default 'little' */
  readonly byteOrder?: 'little' | 'big'
  /** e_machine. @default 62: x86-64 */
  readonly machine?: number
  /** Words of pr_reg by their index, of each thread. @default one thread without registers */
  readonly threads?: readonly ReadonlyMap<number, number>[]
  readonly segments?: readonly MadeSegment[]
  readonly files?: readonly MappedFile[]
  readonly auxv?: readonly (readonly [type: number, value: number])[]
  /** Its number, si_code, and the word behind them. @default SIGSEGV, SEGV_MAPERR, 0x1234 */
  readonly signal?: readonly [signal: number, code: number, value: number]
}

const REGISTERS = 27

/** A sound core of any class and byte order, of the program `made`, whose tids begin at 100. */
export function madeCore(options: MadeCoreOptions): Buffer {
  const { bits = 64, byteOrder = 'little', machine = 62, segments = [] } = options
  const notes = notesOf(options, words(bits, byteOrder))
  const sizes = [notes, ...segments.map(({ bytes }) => bytes)].map(({ length }) => length)
  const core = coreImage({ bits, byteOrder, segments: sizes })
  const { half, u32, word, wordBytes } = words(bits, byteOrder)
  half(core, 18, machine)
  const [headerBytes, entryBytes] = bits === 64 ? [64, 56] : [52, 32]
  let offset = headerBytes + sizes.length * entryBytes
  offset += notes.copy(core, offset)
  segments.forEach(({ vaddr, flags, bytes, memoryBytes = bytes.length }, index) => {
    const at = headerBytes + (index + 1) * entryBytes
    u32(core, at + (bits === 64 ? 4 : 24), flags)
    word(core, at + 2 * wordBytes, vaddr)
    word(core, at + 5 * wordBytes, memoryBytes)
    offset += bytes.copy(core, offset)
  })
  return core
}

type Write = (bytes: Buffer, at: number, value: number) => void

interface Words {
  readonly wordBytes: number
  readonly half: Write
  readonly u32: Write
  readonly word: Write
}

function words(bits: 32 | 64, byteOrder: 'little' | 'big'): Words {
  const isLittle = byteOrder === 'little'
  const u32 = (bytes: Buffer, at: number, value: number): void =>
    void (isLittle ? bytes.writeUInt32LE(value >>> 0, at) : bytes.writeUInt32BE(value >>> 0, at))
  const u64 = (bytes: Buffer, at: number, value: number): void => {
    const wide = BigInt.asUintN(64, BigInt(value))
    if (isLittle) bytes.writeBigUInt64LE(wide, at)
    else bytes.writeBigUInt64BE(wide, at)
  }
  return {
    wordBytes: bits / 8,
    half: (bytes, at, value) =>
      void (isLittle ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at)),
    u32,
    word: bits === 64 ? u64 : u32,
  }
}

function notesOf(
  { threads = [new Map()], files = [], auxv = [], signal = [11, 1, 0x1234] }: MadeCoreOptions,
  write: Words,
): Buffer {
  const { u32, word, wordBytes } = write
  const is64 = wordBytes === 8
  const note = (type: number, desc: Buffer): Buffer => {
    const head = Buffer.alloc(20)
    u32(head, 0, 5)
    u32(head, 4, desc.length)
    u32(head, 8, type)
    head.write('CORE', 12)
    return Buffer.concat([head, desc, Buffer.alloc((4 - (desc.length % 4)) % 4)])
  }
  const statuses = threads.map((registers, index) => {
    const desc = Buffer.alloc(is64 ? 112 + REGISTERS * 8 + 8 : 144)
    u32(desc, is64 ? 32 : 24, 100 + index)
    for (const [register, value] of registers)
      word(desc, (is64 ? 112 : 72) + register * wordBytes, value)
    return note(1, desc)
  })
  const info = Buffer.alloc(is64 ? 136 : 124)
  info.write('made', is64 ? 40 : 28)
  const siginfo = Buffer.alloc(128)
  u32(siginfo, 0, signal[0])
  u32(siginfo, 8, signal[1])
  word(siginfo, is64 ? 16 : 12, signal[2])
  const vector = Buffer.alloc((auxv.length + 1) * 2 * wordBytes)
  auxv.forEach((entry, index) =>
    entry.forEach((value, column) => word(vector, (index * 2 + column) * wordBytes, value)),
  )
  const numbers = [
    files.length,
    4096,
    ...files.flatMap((file) => [file.start, file.end, file.offset / 4096]),
  ]
  const lines = Buffer.alloc(numbers.length * wordBytes)
  numbers.forEach((value, index) => word(lines, index * wordBytes, value))
  const paths = Buffer.from(files.map(({ path }) => `${path}\0`).join(''))
  return Buffer.concat([
    ...statuses.slice(0, 1),
    note(3, info),
    note(0x53494749, siginfo),
    note(6, vector),
    note(0x46494c45, Buffer.concat([lines, paths])),
    ...statuses.slice(1),
  ])
}
