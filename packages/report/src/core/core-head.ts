import {
  EHDR_BYTES,
  EHDR_BYTES_32,
  ET_CORE,
  integers,
  parseElfHeader,
  parseProgramHeader,
  PN_XNUM,
  programHeaderBytes,
  PT_NOTE,
  type ElfHeader,
} from '../elf/elf-header.ts'
import { parseCoreNotes, type CoreFacts } from './core-facts.ts'
import { MAX_NOTE_BYTES, NoteCollector } from './note-collector.ts'
import { MAX_SEGMENTS, SegmentTable } from './segment-table.ts'
import { BlockCache, fileSource, type ByteSource } from '../elf/byte-source.ts'
import type { MemoryReader } from './memory.ts'

const PIECE_BYTES = 65_536
/** Of a core whose header has no number: vm.max_map_count is mostly less. */
const MAX_PROGRAM_HEADERS = 1024 * 1024
/** Of notes, those that are not kept among them: of about 70,000 threads. */
const MAX_READ_NOTE_BYTES = 256 * 1024 * 1024
const NOTHING = Buffer.alloc(0)

/**
 * Reads header, program headers and notes of a core as its bytes come, in pieces of any size.
 * The kernel writes them in this order, before any memory.
 */
export class CoreHead {
  readonly #segments = new SegmentTable()
  readonly #problems: string[] = []
  #state: 'header' | 'table' | 'gap' | 'notes' | 'done' = 'header'
  #scratch = Buffer.alloc(EHDR_BYTES)
  #filled = 0
  #wanted = EHDR_BYTES_32
  #headerBytes = Buffer.alloc(EHDR_BYTES)
  #header: ElfHeader | undefined
  #position = 0
  #left = 0
  #notesAt: number | undefined
  #notesEnd = 0
  #collector: NoteCollector | undefined
  readonly #segmentCount: number | undefined
  #headersRead = 0
  #areNotesCut = false

  /** `segmentCount`: of a core that has too many for its header, where its end has been read. */
  constructor(segmentCount?: number) {
    this.#segmentCount = segmentCount
  }

  /** All that can be known from the stream has been read. */
  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position
  }

  /** Where the notes begin, of a core that has memory before them; what is between need not be pushed. */
  skipToNotes(): number {
    if (this.#state === 'gap') this.#position = this.#notesAt ?? this.#position
    this.#step()
    return this.#position
  }

  /** Returns how many bytes of the chunk belong to the head; fewer than all when it ends there. */
  push(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length && this.#state !== 'done') {
      const used = this.#take(chunk.subarray(at))
      at += used
      this.#position += used
      this.#step()
    }
    return at
  }

  /** What was read, also of a stream that ended early; undefined when it is no ELF core. */
  facts(): CoreFacts | undefined {
    const header = this.#header
    if (header === undefined) return undefined
    const notes = this.#collector?.bytes() ?? Buffer.alloc(0)
    const dropped = this.#collector?.threadsDropped ?? 0
    const isCut = this.#areNotesCut || this.#collector?.isFull === true
    return {
      bits: header.bits,
      littleEndian: header.littleEndian,
      machine: header.machine,
      header: this.#headerBytes,
      segments: this.#segments,
      notes,
      ...parseCoreNotes(notes, header, this.#segments),
      problems: [
        ...this.#problems,
        ...(this.#state === 'done' ? [] : ['the core ends before its notes do']),
        ...(isCut ? ['notes are left out, as there are too many'] : []),
        ...(dropped > 0 ? [`the notes of ${dropped} threads exceed ${MAX_NOTE_BYTES} bytes`] : []),
      ],
    }
  }

  #take(rest: Buffer): number {
    if (this.#state === 'gap') return Math.min(rest.length, (this.#notesAt ?? 0) - this.#position)
    if (this.#state === 'notes') {
      const part = rest.subarray(0, this.#notesEnd - this.#position)
      this.#collector?.push(part)
      return part.length
    }
    const used = rest.copy(this.#scratch, this.#filled, 0, this.#wanted - this.#filled)
    this.#filled += used
    return used
  }

  #step(): void {
    if (this.#state === 'gap' && this.#position === this.#notesAt) this.#state = 'notes'
    const areNotesRead = this.#position >= this.#notesEnd || this.#collector?.isFull === true
    if (this.#state === 'notes' && areNotesRead) this.#state = 'done'
    if (this.#filled < this.#wanted) return
    this.#filled = 0
    if (this.#state === 'header') this.#readHeader()
    else if (this.#state === 'table') this.#readProgramHeader()
  }

  #readHeader(): void {
    if (this.#scratch[4] === 2 && this.#wanted < EHDR_BYTES) {
      this.#filled = this.#wanted
      this.#wanted = EHDR_BYTES
      return
    }
    const header = parseElfHeader(this.#scratch)
    const headerBytes = this.#wanted
    this.#state = 'done'
    if (header?.type !== ET_CORE) return
    this.#header = header
    this.#scratch.copy(this.#headerBytes)
    this.#wanted = programHeaderBytes(header)
    // kernels and gcore put the table right behind the header
    if (header.phoff !== headerBytes || header.phnum === 0) {
      this.#problems.push('the program headers do not follow the ELF header')
      return
    }
    this.#left = header.phnum === PN_XNUM ? (this.#segmentCount ?? Infinity) : header.phnum
    this.#state = 'table'
  }

  #readProgramHeader(): void {
    const header = this.#header
    if (header === undefined) return
    const parsed = parseProgramHeader(this.#scratch, 0, integers(header))
    if (parsed.type === PT_NOTE && this.#notesAt === undefined) {
      this.#notesAt = parsed.offset
      this.#notesEnd = parsed.offset + Math.min(parsed.filesz, MAX_READ_NOTE_BYTES)
      this.#areNotesCut = parsed.filesz > MAX_READ_NOTE_BYTES
      // PN_XNUM: the count is at the end of the file, but the notes begin where the table ends
      if (this.#left === Infinity) this.#left = countUpTo(parsed.offset, this.#wanted)
    }
    this.#segments.add(parsed)
    this.#left--
    this.#headersRead++
    if (this.#headersRead === MAX_PROGRAM_HEADERS && this.#left > 0) {
      this.#problems.push(`program headers beyond ${MAX_PROGRAM_HEADERS} are left out`)
      this.#left = 0
    }
    if (this.#left === Infinity) {
      this.#state = 'done'
      this.#problems.push('the number of program headers is not known')
      return
    }
    if (this.#left > 0) return
    this.#endTable(header)
  }

  #endTable(header: ElfHeader): void {
    if (this.#segments.length === MAX_SEGMENTS) {
      this.#problems.push(`segments beyond ${MAX_SEGMENTS} are left out`)
    }
    if (this.#notesAt === undefined || this.#notesAt < this.#position) {
      this.#state = 'done'
      this.#problems.push('the core has no notes where a stream can read them')
      return
    }
    this.#collector = new NoteCollector(header)
    this.#state = this.#notesAt === this.#position ? 'notes' : 'gap'
    this.#step()
  }
}

/** A core file, read where it is needed. */
export interface CoreFile {
  readonly facts: CoreFacts
  /** What the file has of the memory; also of a file that was cut. */
  readonly memory: MemoryReader
}

/**
 * Reads the head of the core behind an open descriptor, which stays the caller's and open as long as
 * `memory` is used. Undefined when it is no ELF core.
 */
export function openCoreFile(
  fd: number,
  cache: BlockCache = new BlockCache(),
): CoreFile | undefined {
  return openCore(fileSource(fd, cache))
}

/** The same of any source of bytes. */
export function openCore(source: ByteSource): CoreFile | undefined {
  const head = new CoreHead(countSegments(source))
  for (let at = 0; !head.isDone && at < source.size;) {
    const piece = source.read(at, PIECE_BYTES)
    if (piece.length === 0) break
    head.push(piece)
    at = head.skipToNotes()
  }
  const facts = head.facts()
  return facts && { facts, memory: segmentMemory(source, facts.segments) }
}

/** Infinity when the notes do not lie behind a table of so many. */
function countUpTo(offset: number, entryBytes: number): number {
  const count = (offset - EHDR_BYTES) / entryBytes
  return Number.isInteger(count) && count >= PN_XNUM ? count : Infinity
}

/** PN_XNUM: the number is in the first section header, which the kernel writes behind the memory. */
function countSegments(source: ByteSource): number | undefined {
  const header = parseElfHeader(source.read(0, EHDR_BYTES))
  if (header?.phnum !== PN_XNUM || header.shoff === 0) return undefined
  const infoAt = header.bits === 64 ? 44 : 28
  const section = source.read(header.shoff, infoAt + 4)
  if (section.length < infoAt + 4) return undefined
  return header.littleEndian ? section.readUInt32LE(infoAt) : section.readUInt32BE(infoAt)
}

function segmentMemory(source: ByteSource, segments: SegmentTable): MemoryReader {
  return {
    read(address, length) {
      const segment = segments.find(address)
      if (segment === undefined) return NOTHING
      const offset = address - segment.vaddr
      const available = Math.min(length, segment.filesz - offset)
      return available > 0 ? source.read(segment.offset + offset, available) : NOTHING
    },
  }
}
