import { crc32, inflateRawSync } from 'node:zlib'
import { IngestError } from '../error.ts'
import type { ZipSink } from '../zip/sink.ts'
import { ZipWriter } from '../zip/zip-writer.ts'
import { damaged } from './assert-expands.ts'
import { compressEntry, type CompressOptions } from './compress-entry.ts'
import { rawBytes } from './expand-entry.ts'
import type { RecompressedEntry, RecompressOptions } from './options.ts'
import { type ArchiveEntry, bytesAt } from './read-archive.ts'

const MAX_REWRITTEN_BYTES = 1024 * 1024

export interface WriteEntriesOptions extends CompressOptions, Pick<RecompressOptions, 'rewrite'> {
  readonly entries: readonly ArchiveEntry[]
  /** The one to be compressed. */
  readonly entry: ArchiveEntry
}

/** Writes the whole archive, its entries in their order. */
export async function writeEntries(
  sink: ZipSink,
  options: WriteEntriesOptions,
): Promise<RecompressedEntry> {
  const { entries, entry, fd, path, rewrite = {}, signal } = options
  const zip = new ZipWriter(sink, { mode: entry.record.mode })
  let done: RecompressedEntry | undefined
  for (const one of entries) {
    signal?.throwIfAborted()
    const change = Object.hasOwn(rewrite, one.name) ? rewrite[one.name] : undefined
    if (one === entry) done = await compressEntry(zip, entry, options)
    else if (done !== undefined && change !== undefined) {
      const data = change(await readSmall(fd, one, path), done)
      await zip.add(one.name, data, { mtime: one.record.mtime })
    } else await zip.copy(one.record, rawBytes(fd, one.record.offset, one.end))
  }
  await zip.finish()
  if (done === undefined) throw new Error(`\`${entry.name}\` is not one of the entries`)
  return done
}

async function readSmall(fd: number, entry: ArchiveEntry, path: string): Promise<Buffer> {
  const { name, dataAt, record } = entry
  if (Math.max(record.bytes, record.compressedBytes) > MAX_REWRITTEN_BYTES) {
    const message = `Cannot rewrite entry \`${name}\` of \`${path}\`: it has more than ${MAX_REWRITTEN_BYTES} bytes`
    throw new IngestError('UNSUPPORTED', name, message)
  }
  const packed = await bytesAt(fd, dataAt, record.compressedBytes)
  const data = record.method === 0 ? packed : inflate(packed, path, name)
  if (data.length !== record.bytes || crc32(data) !== record.crc32) throw damaged(path, name)
  return data
}

function inflate(packed: Buffer, path: string, name: string): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: MAX_REWRITTEN_BYTES })
  } catch (error) {
    throw damaged(path, name, error)
  }
}
