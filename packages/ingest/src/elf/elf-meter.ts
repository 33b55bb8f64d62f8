import type { ElfFacts } from './elf-facts.ts'
import { type ElfHeader, type ElfIdent, hasElfMagic, IDENT_BYTES, LAYOUT, parseHeader, parseIdent, readWord } from './elf-header.ts'

/**
 * Watches a stream go by and works out how long its ELF headers promise it to be.
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

  /** What is known by now. */
  facts(): ElfFacts {
    const ident = this.#ident
    return {
      isElf: this.#magic || hasElfMagic(this.#bytes.subarray(0, this.#gathered)),
      ...(ident && { bits: ident.bits, byteOrder: ident.littleEndian ? 'little' : 'big' }),
      ...(this.#header && { isCore: this.#header.isCore }),
      ...(this.#expectedBytes > 0 && { expectedBytes: this.#expectedBytes }),
    }
  }

  /** Takes what belongs to the wanted header; returns what follows. */
  #gather(bytes: Buffer): Buffer {
    const skip = Math.min(this.#start + this.#gathered - this.#position, bytes.length)
    const end = Math.min(skip + this.#wanted - this.#gathered, bytes.length)
    this.#gathered += bytes.copy(this.#bytes, this.#gathered, skip, end)
    this.#position += end
    if (this.#gathered === this.#wanted) this.#digest()
    return bytes.subarray(end)
  }

  #digest(): void {
    if (this.#header) this.#digestSegment(this.#header)
    else if (this.#ident) this.#digestHeader(this.#ident)
    else this.#digestIdent()
  }

  #digestIdent(): void {
    this.#magic = hasElfMagic(this.#bytes)
    this.#ident = this.#magic ? parseIdent(this.#bytes) : undefined
    // the header begins with e_ident: what is gathered is kept
    this.#wanted = this.#ident ? LAYOUT[this.#ident.bits].header : 0
    this.#promise(this.#wanted)
  }

  #digestHeader(ident: ElfIdent): void {
    const header = parseHeader(this.#bytes, ident)
    this.#header = header
    this.#promise(header.sectionsEnd)
    // PN_XNUM: the section header with the count comes last of all, its end is the promise
    if (header.phnum === undefined && header.sectionsEnd === 0) this.#expectedBytes = 0
    this.#promise(header.phoff + header.phentsize * (header.phnum ?? 0))
    const { header: headerBytes, segment } = LAYOUT[ident.bits]
    const sound = header.phoff >= headerBytes && header.phentsize >= segment
    this.#segmentsLeft = sound ? (header.phnum ?? 0) : 0
    this.#next(header.phoff, segment)
  }

  #digestSegment(header: ElfHeader): void {
    const { offset, filesz, segment } = LAYOUT[header.bits]
    const bytes = readWord(this.#bytes, filesz, header)
    if (bytes > 0) this.#promise(readWord(this.#bytes, offset, header) + bytes)
    this.#segmentsLeft--
    this.#next(this.#start + header.phentsize, segment)
  }

  #next(start: number, size: number): void {
    this.#start = start
    this.#gathered = 0
    this.#wanted = this.#segmentsLeft > 0 ? size : 0
  }

  #promise(end: number): void {
    this.#expectedBytes = Math.max(this.#expectedBytes, Math.min(end, Number.MAX_SAFE_INTEGER))
  }
}
