import { drain } from '../drain/drain.ts'
import type { ZipWriter } from '../zip/zip-writer.ts'
import { damaged } from './assert-expands.ts'
import { NotSmaller } from './bounded-sink.ts'
import { expandEntry } from './expand-entry.ts'
import type { RecompressedEntry, RecompressOptions } from './options.ts'
import type { ArchiveEntry } from './read-archive.ts'

/** After so many bytes of an entry that do not shrink, the rest is not tried. */
const TRIED_BYTES = 256 * 1024 * 1024

export interface CompressOptions extends Pick<
  RecompressOptions,
  'level' | 'lanes' | 'minSaving' | 'signal'
> {
  readonly fd: number
  readonly path: string
}

/** Expands an entry and compresses it into `zip`. Throws `DAMAGED`, or `NotSmaller` in the chain of causes. */
export async function compressEntry(
  zip: ZipWriter,
  entry: ArchiveEntry,
  { fd, path, level = 3, lanes = 2, minSaving = 0.05, signal }: CompressOptions,
): Promise<RecompressedEntry> {
  const { name, record } = entry
  let readBytes = 0
  let failure: unknown
  async function* plain(): AsyncGenerator<Buffer> {
    try {
      yield* expandEntry(fd, entry, (bytes) => {
        readBytes += bytes
      })
    } catch (error) {
      failure = error
      throw error
    }
  }
  const result = await drain(plain(), zip, {
    entryName: name,
    level,
    lanes,
    mtime: record.mtime,
    ...(signal && { signal }),
    onProgress: ({ storedBytes }) => {
      if (readBytes < TRIED_BYTES || storedBytes < readBytes * (1 - minSaving)) return
      throw new NotSmaller('It shrinks no further')
    },
  })
  signal?.throwIfAborted()
  const { bytes, crc32, storedBytes } = result
  const isSame = bytes === record.bytes && crc32 === record.crc32
  if (failure !== undefined || !isSame) throw damaged(path, name, failure)
  return { name, bytes, crc32, fromBytes: record.compressedBytes, storedBytes }
}
