import { pipeline } from 'node:stream/promises'
import { createInflateRaw, inflateRawSync } from 'node:zlib'
import { errorCode } from '../error.ts'
import { DEFLATE, STORED, ZSTD } from '../zip/fields.ts'
import { cutDeflate } from './cut-deflate.ts'
import { cutZstd } from './cut-zstd.ts'
import { type Cutter, cutStored, Plain } from './cut.ts'
import { FileWindow } from './file-window.ts'
import type { LocalEntry } from './local-entry.ts'

const CHUNK_BYTES = 128 * 1024
const MAX_SMALL_BYTES = 1024 * 1024

/** For data of a compression method that `localEntryAt` accepts. */
export function cutterFor(method: number): Cutter {
  if (method === DEFLATE) return cutDeflate
  return method === ZSTD ? cutZstd : cutStored
}

/** What the data of an ended entry expands to; undefined unless length and CRC are those of its header. */
export async function expandWhole(
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
