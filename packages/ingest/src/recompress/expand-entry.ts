import { read } from 'node:fs'
import { promisify } from 'node:util'
import { createInflateRaw } from 'node:zlib'
import { PartMemory } from '../drain/encode/part-memory.ts'
import { asError } from '../error.ts'
import type { ArchiveEntry } from './read-archive.ts'

const readFrom = promisify(read)
const CHUNK_BYTES = 128 * 1024

/** From `start` to `end` of the file, in one buffer: a chunk is valid until the next is asked for. */
export async function* rawBytes(fd: number, start: number, end: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  for (let at = start; at < end;) {
    const wanted = Math.min(buffer.length, end - at)
    const { bytesRead } = await readFrom(fd, buffer, 0, wanted, at)
    if (bytesRead === 0) throw new Error(`the file ended at byte ${at}`)
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** What a deflated entry expands to; a chunk is valid until the next is asked for. Throws zlib's errors. */
export async function* expandEntry(
  fd: number,
  { dataAt, record }: ArchiveEntry,
  onRead: (bytes: number) => void = () => {},
): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES })
  const memory = new PartMemory(CHUNK_BYTES)
  const feed = async (): Promise<void> => {
    for await (const chunk of rawBytes(fd, dataAt, dataAt + record.compressedBytes)) {
      await written(inflate, chunk)
      onRead(chunk.length)
    }
    inflate.end()
  }
  const feeding = feed().catch((error: unknown) => {
    inflate.destroy(asError(error))
  })
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      const retained = memory.retain(chunk)
      yield chunk
      retained.release()
    }
  } finally {
    inflate.destroy()
    await feeding
  }
}

/** Resolves once zlib has read the chunk, whose memory can be reused then. */
async function written(inflate: NodeJS.WritableStream, chunk: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    inflate.write(chunk, (error) => (error ? reject(error) : resolve()))
  })
}
