import { BlockCache, fileSource, type ByteSource } from '../elf/byte-source.ts'
import { EHDR_BYTES, parseElfHeader, PN_XNUM } from '../elf/elf-header.ts'
import type { CoreFacts } from './core-facts.ts'
import { CoreHead } from './core-head.ts'
import type { MemoryReader } from './memory.ts'
import type { SegmentTable } from './segment-table.ts'

const PIECE_BYTES = 65_536
const NOTHING = Buffer.alloc(0)

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
