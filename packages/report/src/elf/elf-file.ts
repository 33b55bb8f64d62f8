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
const SECTION_BYTES = 64
/** Names of sections, which a linker keeps in one table. */
const MAX_NAMES_BYTES = 65_536
const LITTLE_64 = integers({ bits: 64, littleEndian: true })

export interface ElfSection {
  readonly addr: number
  readonly offset: number
  readonly size: number
  /** Index of the section that it refers to. */
  readonly link: number
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
  #sections: ReadonlyMap<string, ElfSection> | undefined
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

  /** One of those that are read here or by the client; undefined when it is not in the file. */
  section(name: SectionName): ElfSection | undefined {
    this.#sections ??= readSections(this.source, this.header)
    return this.#sections.get(name)
  }

  /** The section that this one refers to: of a table of symbols, their names. */
  linked({ link }: ElfSection): ElfSection | undefined {
    const { shoff, shnum } = this.header
    if (link === 0 || link >= Math.min(shnum, MAX_SECTIONS)) return undefined
    const header = this.source.read(shoff + link * SECTION_BYTES, SECTION_BYTES)
    return header.length < SECTION_BYTES ? undefined : sectionAt(header, 0)
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

/** Only those of these names: a file may have a thousand others. */
const SECTION_NAMES = [
  '.text',
  '.eh_frame',
  '.symtab',
  '.dynsym',
  '.dynamic',
  '.gopclntab',
  '.data.rel.ro.gopclntab',
  '.note.gnu.build-id',
] as const

export type SectionName = (typeof SECTION_NAMES)[number]

function readSections(source: ByteSource, header: ElfHeader): ReadonlyMap<string, ElfSection> {
  const sections = new Map<string, ElfSection>()
  const count = Math.min(header.shnum, MAX_SECTIONS)
  const table = source.read(header.shoff, count * SECTION_BYTES)
  const total = Math.floor(table.length / SECTION_BYTES)
  if (header.shoff === 0 || header.shstrndx >= total) return sections
  const { offset, size } = sectionAt(table, header.shstrndx * SECTION_BYTES)
  const names = source.read(offset, Math.min(size, MAX_NAMES_BYTES))
  const wanted = new Set<string>(SECTION_NAMES)
  for (let at = 0; at < total * SECTION_BYTES; at += SECTION_BYTES) {
    const name = readCString(names, table.readUInt32LE(at), MAX_NAME_BYTES)
    const isOnDisk = table.readUInt32LE(at + 4) !== SHT_NOBITS
    if (wanted.has(name) && isOnDisk && !sections.has(name))
      sections.set(name, sectionAt(table, at))
  }
  return sections
}

function sectionAt(table: Buffer, at: number): ElfSection {
  return {
    addr: LITTLE_64.word(table, at + 16),
    offset: LITTLE_64.word(table, at + 24),
    size: LITTLE_64.word(table, at + 32),
    link: table.readUInt32LE(at + 40),
  }
}
