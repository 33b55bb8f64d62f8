import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { cutDeflate } from './cut-deflate.ts'
import { cutStored } from './cut-stored.ts'
import { cutZstd } from './cut-zstd.ts'
import { FileWindow } from './file-window.ts'
import type { LocalEntry } from './local-entry.ts'
import { Plain } from './plain.ts'

const CHUNK_BYTES = 128 * 1024

/** What the data of an ended entry expands to, where that is what its header says. */
export async function expandWhole(
  { record, dataAt }: LocalEntry,
  { fd, end, pace }: FileWindow,
): Promise<Plain | undefined> {
  const dataEnd = dataAt + record.compressedBytes
  if (dataEnd > end) return undefined
  const window = new FileWindow(fd, dataAt, dataEnd, pace)
  const expand = record.method === 8 ? cutDeflate : record.method === 93 ? cutZstd : cutStored
  const isRight = ({ bytes, crc32 }: Plain): boolean =>
    bytes === record.bytes && crc32 === record.crc32

  const plain = new Plain()
  const { end: reached } = await expand(window, dataAt, plain)
  if (reached === dataEnd) return isRight(plain) ? plain : undefined
  // from another program, which flushes nowhere
  const whole = new Plain()
  const ends = record.method === 8 && (await inflateAll(window, dataAt, whole))
  return ends && isRight(whole) ? whole : undefined
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
    // zlib's own codes; what the file system or the caller has to say is theirs
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))
      return false
    throw error
  }
}

async function* chunksOf(window: FileWindow, start: number): AsyncGenerator<Buffer> {
  for (let at = start; at < window.end;) {
    // a copy: the window moves on while zlib is at work
    const chunk = Buffer.from(await window.bytes(at, CHUNK_BYTES))
    if (chunk.length === 0) return
    at += chunk.length
    yield chunk
  }
}
