import { crc32 } from 'node:zlib'
import { IngestError } from '../error.ts'
import type { EntryRecord } from '../zip/fields.ts'
import { expandEntry } from './expand-entry.ts'
import type { ArchiveEntry } from './read-archive.ts'

/** Throws `DAMAGED` unless the data of `entry` expands to what `promised` says. */
export async function assertExpands(
  fd: number,
  entry: ArchiveEntry,
  promised: Pick<EntryRecord, 'bytes' | 'crc32'>,
  path: string,
): Promise<void> {
  let bytes = 0
  let crc = 0
  try {
    for await (const chunk of expandEntry(fd, entry)) {
      bytes += chunk.length
      crc = crc32(chunk, crc)
    }
  } catch (error) {
    throw damaged(path, entry.name, error)
  }
  if (bytes !== promised.bytes || crc !== promised.crc32) throw damaged(path, entry.name)
}

/** The error for an entry that does not hold the recorded bytes; `cause` is of zlib or the disk. */
export function damaged(path: string, entry: string, cause?: unknown): unknown {
  // an error of the file system stays what it is
  if (cause instanceof Error && 'syscall' in cause) return cause
  const why = cause instanceof Error ? cause.message : 'length or CRC-32 are not those recorded'
  const message = `Entry \`${entry}\` of \`${path}\` is damaged: ${why} (nothing was changed)`
  return new IngestError('DAMAGED', entry, message, { cause })
}
