const ET_CORE = 4
const PN_XNUM = 0xffff

/** e_ident: magic, class, byte order; elf(5). */
export const IDENT_BYTES = 16

/** What e_ident contains: how to read the rest. */
export interface ElfIdent {
  readonly bits: 32 | 64
  readonly littleEndian: boolean
}

/** Offsets and sizes of the fields, by word size; elf(5). */
export const LAYOUT = {
  32: { header: 52, phoff: 28, shoff: 32, sizes: 42, segment: 32, offset: 4, filesz: 16 },
  64: { header: 64, phoff: 32, shoff: 40, sizes: 54, segment: 56, offset: 8, filesz: 32 },
} as const

/** The fields of an ELF header that locate the rest of the file. */
export interface ElfHeader extends ElfIdent {
  readonly isCore: boolean
  /** Offset, size and number of the program headers. */
  readonly phoff: number
  readonly phentsize: number
  /** Undefined where the header does not hold it: PN_XNUM, more than 65,534 of them. */
  readonly phnum: number | undefined
  /** End of the section headers; 0 where there are none. */
  readonly sectionsEnd: number
}

export function hasElfMagic(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32BE(0) === 0x7f454c46
}

/** Undefined for an unknown class or byte order. */
export function parseIdent(bytes: Buffer): ElfIdent | undefined {
  const bits = ({ 1: 32, 2: 64 } as const)[bytes.readUInt8(4)]
  const littleEndian = { 1: true, 2: false }[bytes.readUInt8(5)]
  return bits && littleEndian !== undefined ? { bits, littleEndian } : undefined
}

export function parseHeader(bytes: Buffer, ident: ElfIdent): ElfHeader {
  const { littleEndian } = ident
  const layout = LAYOUT[ident.bits]
  const half = (at: number): number =>
    littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
  const shoff = readWord(bytes, layout.shoff, ident)
  const phnum = half(layout.sizes + 2)
  return {
    ...ident,
    isCore: half(16) === ET_CORE,
    phoff: readWord(bytes, layout.phoff, ident),
    phentsize: half(layout.sizes),
    phnum: phnum === PN_XNUM ? undefined : phnum,
    sectionsEnd: shoff === 0 ? 0 : shoff + half(layout.sizes + 4) * half(layout.sizes + 6),
  }
}

/** An address-sized number; above 2^53 it is rounded: no file is that long. */
export function readWord(bytes: Buffer, at: number, { bits, littleEndian }: ElfIdent): number {
  if (bits === 32) return littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
  return Number(littleEndian ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
}
