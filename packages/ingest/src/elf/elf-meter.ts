const ET_CORE = 4
const PN_XNUM = 0xffff
/** e_ident: magic, class, byte order; elf(5). */
const IDENT_BYTES = 16
/** Offsets and sizes of the fields, by word size; elf(5). */
const LAYOUT = {
  32: { header: 52, phoff: 28, shoff: 32, sizes: 42, segment: 32, offset: 4, filesz: 16 },
  64: { header: 64, phoff: 32, shoff: 40, sizes: 54, segment: 56, offset: 8, filesz: 32 },
} as const

/** What the ELF header and the program headers of a stream contain; elf(5). */
export interface ElfFacts {
  /** The stream begins with the magic of an ELF file. */
  readonly isElf: boolean
  /** Word size; absent when it is not an ELF or its class is unknown. */
  readonly bits?: 32 | 64
  readonly byteOrder?: 'little' | 'big'
  /** `ET_CORE`; absent when the header was not understood. */
  readonly isCore?: boolean
  /** Bytes the file must have to hold all its segments; absent when the headers do not contain it. */
  readonly expectedBytes?: number
}

/**
 * Computes from the ELF headers in a stream how long the whole file must be.
 * It keeps one header at a time, whatever their number.
 */
export class ElfMeter {
  /** The header being gathered: its bytes so far, where it begins, how long it is. */
  readonly #bytes = Buffer.alloc(LAYOUT[64].header)
  #gathered = 0
  #start = 0
  #wanted = IDENT_BYTES
  #position = 0

  #magic = false
  #ident: ElfIdent | undefined
  #header: ElfHeader | undefined
  #segmentsLeft = 0
  #expectedBytes = 0

  /** Takes the next bytes of the stream. */
  push(bytes: Buffer): void {
    let rest = bytes
    while (this.#wanted > 0 && rest.length > 0) rest = this.#gather(rest)
    this.#position += rest.length
  }

  /** What is known so far. */
  facts(): ElfFacts {
    const ident = this.#ident
    return {
      isElf: this.#magic || hasElfMagic(this.#bytes.subarray(0, this.#gathered)),
      ...(ident && { bits: ident.bits, byteOrder: ident.littleEndian ? 'little' : 'big' }),
      ...(this.#header && { isCore: this.#header.isCore }),
      ...(this.#expectedBytes > 0 && { expectedBytes: this.#expectedBytes }),
    }
  }

  /** Takes the bytes that belong to the wanted header; returns the rest. */
  #gather(bytes: Buffer): Buffer {
    const skip = Math.min(this.#start + this.#gathered - this.#position, bytes.length)
    const end = Math.min(skip + this.#wanted - this.#gathered, bytes.length)
    this.#gathered += bytes.copy(this.#bytes, this.#gathered, skip, end)
    this.#position += end
    if (this.#gathered === this.#wanted) this.#parse()
    return bytes.subarray(end)
  }

  #parse(): void {
    if (this.#header) this.#parseSegment(this.#header)
    else if (this.#ident) this.#parseHeader(this.#ident)
    else this.#parseIdent()
  }

  #parseIdent(): void {
    this.#magic = hasElfMagic(this.#bytes)
    this.#ident = this.#magic ? parseIdent(this.#bytes) : undefined
    // the header begins with e_ident: the gathered bytes are kept
    this.#wanted = this.#ident ? LAYOUT[this.#ident.bits].header : 0
    this.#expect(this.#wanted)
  }

  #parseHeader(ident: ElfIdent): void {
    const header = parseHeader(this.#bytes, ident)
    this.#header = header
    this.#expect(header.sectionsEnd)
    // PN_XNUM: the section header with the count comes last, the file ends with it
    if (header.phnum === undefined && header.sectionsEnd === 0) this.#expectedBytes = 0
    this.#expect(header.phoff + header.phentsize * (header.phnum ?? 0))
    const { header: headerBytes, segment } = LAYOUT[ident.bits]
    const isValid = header.phoff >= headerBytes && header.phentsize >= segment
    this.#segmentsLeft = isValid ? (header.phnum ?? 0) : 0
    this.#next(header.phoff, segment)
  }

  #parseSegment(header: ElfHeader): void {
    const { offset, filesz, segment } = LAYOUT[header.bits]
    const bytes = readWord(this.#bytes, filesz, header)
    if (bytes > 0) this.#expect(readWord(this.#bytes, offset, header) + bytes)
    this.#segmentsLeft--
    this.#next(this.#start + header.phentsize, segment)
  }

  #next(start: number, size: number): void {
    this.#start = start
    this.#gathered = 0
    this.#wanted = this.#segmentsLeft > 0 ? size : 0
  }

  #expect(end: number): void {
    this.#expectedBytes = Math.max(this.#expectedBytes, Math.min(end, Number.MAX_SAFE_INTEGER))
  }
}

/** What e_ident contains: how to read the rest. */
interface ElfIdent {
  readonly bits: 32 | 64
  readonly littleEndian: boolean
}

/** The fields of an ELF header that locate the rest of the file. */
interface ElfHeader extends ElfIdent {
  readonly isCore: boolean
  /** Offset, size and number of the program headers. */
  readonly phoff: number
  readonly phentsize: number
  /** Undefined where the header does not hold it: PN_XNUM, more than 65,534 of them. */
  readonly phnum: number | undefined
  /** End of the section headers; 0 where there are none. */
  readonly sectionsEnd: number
}

function hasElfMagic(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32BE(0) === 0x7f454c46
}

/** Undefined for an unknown class or byte order. */
function parseIdent(bytes: Buffer): ElfIdent | undefined {
  const bits = ({ 1: 32, 2: 64 } as const)[bytes.readUInt8(4)]
  const littleEndian = { 1: true, 2: false }[bytes.readUInt8(5)]
  return bits && littleEndian !== undefined ? { bits, littleEndian } : undefined
}

function parseHeader(bytes: Buffer, ident: ElfIdent): ElfHeader {
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
function readWord(bytes: Buffer, at: number, { bits, littleEndian }: ElfIdent): number {
  if (bits === 32) return littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
  return Number(littleEndian ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
}
