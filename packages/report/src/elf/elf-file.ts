import { readCString, type ByteSource } from './byte-source.ts'
import { buildIdOfNotes } from './notes.ts'
import {
  EHDR_BYTES,
  integers,
  parseElfHeader,
  parseProgramHeader,
  PT_GNU_EH_FRAME,
  PT_LOAD,
  PT_NOTE,
  SHT_NOBITS,
  type ElfHeader,
  type ProgramHeader,
} from './elf-header.ts'

const MAX_PROGRAM_HEADERS = 128
const MAX_SECTIONS = 1024
const MAX_NOTE_BYTES = 65_536
const MAX_NAME_BYTES = 128
const LITTLE_64 = integers({ bits: 64, littleEndian: true })

export interface ElfSection {
  readonly name: string
  readonly addr: number
  readonly offset: number
  readonly size: number
  readonly link: number
  readonly isOnDisk: boolean
}

/** Where `.eh_frame_hdr` lies in memory numbering and in the file. */
export interface EhFrameHeader {
  readonly vaddr: number
  readonly offset: number
  readonly size: number
}

/** A program or library, 64-bit little-endian; only headers are read, and sections when asked for. */
export class ElfFile {
  readonly source: ByteSource
  readonly header: ElfHeader
  readonly programHeaders: readonly ProgramHeader[]
  /** What the dynamic loader maps. */
  readonly loads: readonly ProgramHeader[]
  #sections: readonly ElfSection[] | undefined
  #buildId: string | undefined | null = null

  private constructor(source: ByteSource, header: ElfHeader) {
    this.source = source
    this.header = header
    const count = Math.min(header.phnum, MAX_PROGRAM_HEADERS)
    const table = source.read(header.phoff, count * 56)
    const parsed: ProgramHeader[] = []
    for (let at = 0; at + 56 <= table.length; at += 56) {
      parsed.push(parseProgramHeader(table, at, LITTLE_64))
    }
    this.programHeaders = parsed
    this.loads = parsed.filter(({ type }) => type === PT_LOAD)
  }

  /** Undefined when the source is no 64-bit little-endian ELF file. */
  static open(source: ByteSource): ElfFile | undefined {
    const header = parseElfHeader(source.read(0, EHDR_BYTES))
    if (header?.bits !== 64 || !header.littleEndian) return undefined
    return new ElfFile(source, header)
  }

  /** In hex, by PT_NOTE, else by the section: Go's linker leaves it out of PT_NOTE. */
  get buildId(): string | undefined {
    if (this.#buildId === null) {
      this.#buildId = this.#buildIdOfSegments() ?? this.#buildIdOfSection()
    }
    return this.#buildId
  }

  get ehFrameHeader(): EhFrameHeader | undefined {
    const found = this.programHeaders.find(({ type }) => type === PT_GNU_EH_FRAME)
    return found && { vaddr: found.vaddr, offset: found.offset, size: found.filesz }
  }

  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name && section.isOnDisk)
  }

  get sections(): readonly ElfSection[] {
    this.#sections ??= readSections(this.source, this.header)
    return this.#sections
  }

  /** Position in the file of an address in the file's own numbering. */
  offsetOf(vaddr: number): number | undefined {
    for (const load of this.loads) {
      if (vaddr >= load.vaddr && vaddr < load.vaddr + load.filesz) {
        return vaddr - load.vaddr + load.offset
      }
    }
    return undefined
  }

  #buildIdOfSegments(): string | undefined {
    for (const { type, offset, filesz } of this.programHeaders) {
      if (type !== PT_NOTE) continue
      const found = buildIdOfNotes(this.source.read(offset, Math.min(filesz, MAX_NOTE_BYTES)))
      if (found !== undefined) return found
    }
    return undefined
  }

  #buildIdOfSection(): string | undefined {
    const section = this.section('.note.gnu.build-id')
    if (section === undefined) return undefined
    const { offset, size } = section
    return buildIdOfNotes(this.source.read(offset, Math.min(size, MAX_NOTE_BYTES)))
  }
}

function readSections(source: ByteSource, header: ElfHeader): readonly ElfSection[] {
  const count = Math.min(header.shnum, MAX_SECTIONS)
  const table = source.read(header.shoff, count * 64)
  const field = (index: number, at: number): number => LITTLE_64.word(table, index * 64 + at)
  const total = Math.floor(table.length / 64)
  if (header.shoff === 0 || header.shstrndx >= total) return []
  const namesAt = field(header.shstrndx, 24)
  const sections: ElfSection[] = []
  for (let index = 0; index < total; index++) {
    const nameAt = namesAt + table.readUInt32LE(index * 64)
    sections.push({
      name: readCString(source.read(nameAt, MAX_NAME_BYTES), 0, MAX_NAME_BYTES),
      addr: field(index, 16),
      offset: field(index, 24),
      size: field(index, 32),
      link: table.readUInt32LE(index * 64 + 40),
      isOnDisk: table.readUInt32LE(index * 64 + 4) !== SHT_NOBITS,
    })
  }
  return sections
}
