import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
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
  const plain = new Plain()
  const window = new FileWindow(fd, dataEnd, pace)
  if (record.method === 0) await cutStored(window, dataAt, plain)
  else if (record.method === 93) await cutZstd(window, dataAt, plain)
  else if (!(await inflateAll(window, dataAt, plain))) return undefined
  return plain.bytes === record.bytes && plain.crc32 === record.crc32 ? plain : undefined
}

/** From whatever program, so without any boundary but the last. */
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
