import {
  hasElfMagic,
  IDENT_BYTES,
  LAYOUT,
  parseHeader,
  parseIdent,
  readWord,
} from './elf-header.ts'
import type { ElfHeader, ElfIdent } from './elf-header.ts'

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
