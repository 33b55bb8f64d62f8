import { pipeline } from 'node:stream/promises'
import { zstdCompressSync, createInflateRaw, inflateRawSync } from 'node:zlib'
import { LAST_BLOCK, storedBlocks } from '../drain/encode/deflate-blocks.ts'
import type { ElfMeter } from '../elf/elf-meter.ts'
import { zipEntry } from '../zip/entry-writer.ts'
import {
  DEFLATE,
  SEE_ZIP64,
  STORED,
  parseEntryName,
  parseExtra,
  parseTime,
  UTF8_FLAG,
  ZSTD,
  type EntryRecord,
} from '../zip/fields.ts'
import { Plain, cutZstd, cutStored, type Cutter } from './cut.ts'
import { FileWindow } from './file-window.ts'
import type { SavedEntry } from './options.ts'
import { LOCAL_HEADER_BYTES, parseLocalHeader } from '../zip/headers.ts'
import { errorCode } from '../error.ts'
import { cutDeflate } from './cut-deflate.ts'

// of deflate: its level; APPNOTE 4.4.4
const LEVEL_FLAGS = 0x0006
const METHODS = [STORED, DEFLATE, ZSTD]
// a local header has no mode: that of the composer's entries
const MODE = 0o444
const CHUNK_BYTES = 128 * 1024
const MAX_SMALL_BYTES = 1024 * 1024

/** The usable entries at the beginning of a file. */
export interface Walk {
  readonly entries: readonly SavedEntry[]
  readonly locals: readonly LocalEntry[]
  /** Everything before it is used. */
  readonly end: number
  /** What ends the data of the last entry, where that is incomplete. */
  readonly closing?: readonly Uint8Array[]
}

/** An entry as its local header describes it. */
interface LocalEntry {
  readonly name: string
  readonly record: EntryRecord
  /** Where its data begins. */
  readonly dataAt: number
  /** CRC and sizes are recorded: its writer had ended it. */
  readonly ended: boolean
  /** Where the two Zip64 sizes are. */
  readonly zip64At: number | undefined
}

/** Goes from one local header to the next and expands each entry; stops at the first incomplete one. */
export async function walk(window: FileWindow): Promise<Walk> {
  const entries: SavedEntry[] = []
  const locals: LocalEntry[] = []
  const names = new Set<string>()
  for (let end = 0; ;) {
    const local = await localEntryAt(window, end)
    if (local === undefined || names.has(local.name)) return { entries, locals, end }
    names.add(local.name)
    const plain = local.ended ? await expandWhole(local, window) : undefined
    if (plain === undefined) {
      const last = isStreamed(local) ? await cutEntry(local, window) : undefined
      if (last === undefined) return { entries, locals, end }
      const { saved, ...cut } = last
      return { entries: [...entries, saved], locals: [...locals, local], ...cut }
    }
    locals.push(local)
    entries.push(savedEntry(local, plain.elf, true))
    end = local.dataAt + local.record.compressedBytes
  }
}

/** A small entry is written at once: its beginning alone is of no use. */
function isStreamed({ ended, zip64At }: LocalEntry): boolean {
  return zip64At !== undefined || !ended
}

async function cutEntry(
  local: LocalEntry,
  window: FileWindow,
): Promise<(Required<Pick<Walk, 'closing' | 'end'>> & { saved: SavedEntry }) | undefined> {
  const { record, dataAt, zip64At } = local
  const plain = new Plain()
  const { end, ended, tail } = await cutterFor(record.method)(window, dataAt, plain)
  plain.push(tail)
  const closing = ended ? [] : closingOf(record.method, tail)
  const tooLong = zip64At === undefined && Math.max(plain.bytes, window.end) > SEE_ZIP64
  if (plain.bytes === 0 || tooLong) return undefined
  record.bytes = plain.bytes
  record.crc32 = plain.crc32
  record.compressedBytes = closing.reduce((sum, chunk) => sum + chunk.length, end - dataAt)
  return { end, closing, saved: savedEntry(local, plain.elf, false) }
}

/** Data that follows a boundary: `tail`, encoded again, and the end of the stream. */
function closingOf(method: number, tail: Buffer): readonly Uint8Array[] {
  if (method === STORED) return [tail]
  if (method === DEFLATE) return [...storedBlocks(tail), LAST_BLOCK]
  const empty = zstdCompressSync(Buffer.alloc(0))
  return tail.length > 0 ? [zstdCompressSync(tail), empty] : [empty]
}

function savedEntry({ name, record }: LocalEntry, elf: ElfMeter, whole: boolean): SavedEntry {
  return { ...zipEntry(name, record), whole, elf: elf.facts() }
}

/** The entry that begins at `position`, if there is one; APPNOTE 4.3.7. */
async function localEntryAt(window: FileWindow, position: number): Promise<LocalEntry | undefined> {
  const header = parseLocalHeader(await window.bytes(position, LOCAL_HEADER_BYTES))
  if (header === undefined) return undefined
  const { flags, method, nameLength, extraLength } = header
  const extraAt = position + LOCAL_HEADER_BYTES + nameLength
  const dataAt = extraAt + extraLength
  const isKnown = (flags & ~(UTF8_FLAG | LEVEL_FLAGS)) === 0 && METHODS.includes(method)
  if (!isKnown || dataAt > window.end) return undefined

  const name = parseEntryName(await window.bytes(position + LOCAL_HEADER_BYTES, nameLength))
  if (name === undefined) return undefined
  const extra = parseExtra(await window.bytes(extraAt, extraLength))
  const { values: [wideBytes, wideCompressedBytes] = [], at = 0 } = extra.zip64 ?? {}
  const zip64 = wideBytes !== undefined && wideCompressedBytes !== undefined
  const { crc32 } = header
  const bytes = zip64 ? wideBytes : header.bytes
  const compressedBytes = zip64 ? wideCompressedBytes : header.compressedBytes
  return {
    name,
    dataAt,
    ended: crc32 > 0 || bytes > 0 || compressedBytes > 0 || (method === STORED && !zip64),
    zip64At: zip64 ? extraAt + at : undefined,
    record: {
      name: Buffer.from(name),
      method,
      mtime: parseTime(header.time, extra),
      mode: MODE,
      zip64,
      descriptor: false,
      offset: position,
      crc32,
      bytes,
      compressedBytes,
    },
  }
}

/** For data of a compression method that `localEntryAt` accepts. */
function cutterFor(method: number): Cutter {
  if (method === DEFLATE) return cutDeflate
  return method === ZSTD ? cutZstd : cutStored
}

/** What the data of an ended entry expands to; undefined unless length and CRC are those of its header. */
async function expandWhole(
  { record, dataAt }: LocalEntry,
  { fd, end, pace }: FileWindow,
): Promise<Plain | undefined> {
  const dataEnd = dataAt + record.compressedBytes
  if (dataEnd > end) return undefined
  const window = new FileWindow(fd, dataAt, dataEnd, pace)
  const cutter = cutterFor(record.method)
  const isRight = ({ bytes, crc32 }: Plain): boolean =>
    bytes === record.bytes && crc32 === record.crc32

  const plain = new Plain()
  const { end: reached } = await cutter(window, dataAt, plain)
  if (reached === dataEnd) return isRight(plain) ? plain : undefined
  // deflate of another program, without flushes
  const whole = new Plain()
  const ends = record.method === DEFLATE && (await inflateAll(window, dataAt, whole))
  return ends && isRight(whole) ? whole : undefined
}

/** The bytes of a small entry that `expandWhole` has accepted; undefined above 1 MiB. */
export async function readSmall(
  window: FileWindow,
  { record, dataAt }: LocalEntry,
): Promise<Buffer | undefined> {
  const { method, bytes, compressedBytes } = record
  if (Math.max(bytes, compressedBytes) > MAX_SMALL_BYTES) return undefined
  const data = Buffer.from(await window.bytes(dataAt, compressedBytes))
  if (method === STORED) return data
  if (method !== DEFLATE) return undefined
  return inflateRawSync(data, { maxOutputLength: MAX_SMALL_BYTES })
}

async function inflateAll(window: FileWindow, start: number, plain: Plain): Promise<boolean> {
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES })
  try {
    await pipeline(chunksOf(window, start), inflate, async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        plain.push(chunk)
        await window.pace(chunk.length)
      }
    })
    return true
  } catch (error) {
    // zlib's own codes mean damaged data; others are of the file system or the caller
    if (errorCode(error).startsWith('Z_')) return false
    throw error
  }
}

async function* chunksOf(window: FileWindow, start: number): AsyncGenerator<Buffer> {
  for (let at = start; at < window.end;) {
    // a copy: the window moves on while zlib works
    const chunk = Buffer.from(await window.bytes(at, CHUNK_BYTES))
    if (chunk.length === 0) return
    at += chunk.length
    yield chunk
  }
}
