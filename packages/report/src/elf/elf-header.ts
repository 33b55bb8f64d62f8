import { readU64 } from './byte-source.ts'

/** Numbers of elf(5) that are used here. */
export const ET_CORE = 4
export const EM_X86_64 = 62
export const EM_AARCH64 = 183
export const PT_LOAD = 1
export const PT_DYNAMIC = 2
export const PT_NOTE = 4
export const PT_GNU_EH_FRAME = 0x6474e550
export const PF_X = 1
export const PF_W = 2
export const PF_R = 4
export const PN_XNUM = 0xffff
export const SHT_NOBITS = 8

/** Bytes of an ELF header. */
export const EHDR_BYTES = 64
export const EHDR_BYTES_32 = 52

/** How to read the rest of a file. */
export interface ElfClass {
  readonly bits: 32 | 64
  readonly littleEndian: boolean
}

export interface ElfHeader extends ElfClass {
  readonly type: number
  readonly machine: number
  readonly entry: number
  readonly phoff: number
  readonly phentsize: number
  readonly phnum: number
  readonly shoff: number
  readonly shnum: number
  readonly shstrndx: number
}

/** Undefined when the bytes are no ELF header of a known class and byte order. */
export function parseElfHeader(bytes: Buffer): ElfHeader | undefined {
  if (bytes.length < EHDR_BYTES_32 || bytes.readUInt32BE(0) !== 0x7f454c46) return undefined
  const bits = bytes[4] === 2 ? 64 : bytes[4] === 1 ? 32 : undefined
  const littleEndian = bytes[5] === 1
  if (bits === undefined || (!littleEndian && bytes[5] !== 2)) return undefined
  if (bits === 64 && bytes.length < EHDR_BYTES) return undefined
  const read = integers({ bits, littleEndian })
  const sizes = bits === 64 ? 54 : 42
  return {
    bits,
    littleEndian,
    type: read.half(bytes, 16),
    machine: read.half(bytes, 18),
    entry: read.word(bytes, 24),
    phoff: read.word(bytes, bits === 64 ? 32 : 28),
    shoff: read.word(bytes, bits === 64 ? 40 : 32),
    phentsize: read.half(bytes, sizes),
    phnum: read.half(bytes, sizes + 2),
    shnum: read.half(bytes, sizes + 6),
    shstrndx: read.half(bytes, sizes + 8),
  }
}

/** Readers of integers in one class and byte order; `word` is as long as an address. */
export interface Integers {
  half(bytes: Buffer, at: number): number
  u32(bytes: Buffer, at: number): number
  i32(bytes: Buffer, at: number): number
  word(bytes: Buffer, at: number): number
}

export function integers({ bits, littleEndian }: ElfClass): Integers {
  const u32 = (bytes: Buffer, at: number): number =>
    littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
  const u64 = (bytes: Buffer, at: number): number =>
    littleEndian ? readU64(bytes, at) : u32(bytes, at) * 2 ** 32 + u32(bytes, at + 4)
  return {
    half: (bytes, at) => (littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)),
    u32,
    i32: (bytes, at) => (littleEndian ? bytes.readInt32LE(at) : bytes.readInt32BE(at)),
    word: bits === 64 ? u64 : u32,
  }
}

export interface ProgramHeader {
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly vaddr: number
  readonly filesz: number
  readonly memsz: number
}

/** Bytes of a program header. */
export function programHeaderBytes(elfClass: ElfClass): number {
  return elfClass.bits === 64 ? 56 : 32
}

export function parseProgramHeader(bytes: Buffer, at: number, read: Integers): ProgramHeader {
  const type = read.u32(bytes, at)
  // the flags moved when the fields became longer
  if (read.word === read.u32) {
    return {
      type,
      offset: read.u32(bytes, at + 4),
      vaddr: read.u32(bytes, at + 8),
      filesz: read.u32(bytes, at + 16),
      memsz: read.u32(bytes, at + 20),
      flags: read.u32(bytes, at + 24),
    }
  }
  return {
    type,
    flags: read.u32(bytes, at + 4),
    offset: read.word(bytes, at + 8),
    vaddr: read.word(bytes, at + 16),
    filesz: read.word(bytes, at + 32),
    memsz: read.word(bytes, at + 40),
  }
}
