import { read } from 'node:fs'
import { promisify } from 'node:util'
import { IngestError } from '../error.ts'
import { endRecords, MAX_END_BYTES, parseEndRecords } from '../zip/directory.ts'
import { localHeader } from '../zip/headers.ts'
import { type CentralEntry, centralEntryAt } from './central-entry.ts'

const readFrom = promisify(read)

/** Tens of thousands of entries; held in memory. */
const MAX_DIRECTORY_BYTES = 8 * 1024 * 1024

/** An entry and where its parts are in the file. */
export interface ArchiveEntry extends CentralEntry {
  readonly dataAt: number
  /** End of its data and of its data descriptor: the next entry begins there. */
  readonly end: number
}

/**
 * The entries of an archive, in order, each right after the one before. Throws `UNSUPPORTED` for an
 * archive that this package has not written: another program's, an encrypted or a damaged one.
 */
export async function readArchive(
  fd: number,
  bytes: number,
  path: string,
): Promise<readonly ArchiveEntry[]> {
  const unsupported = (why: string): IngestError =>
    new IngestError('UNSUPPORTED', path, `Cannot recompress \`${path}\`: ${why}`)
  const foreign = (what: string): IngestError =>
    unsupported(`its ${what} is not as this package writes it (foreign, encrypted or damaged)`)

  const tailAt = Math.max(0, bytes - MAX_END_BYTES)
  const tail = await bytesAt(fd, tailAt, bytes - tailAt)
  const end = parseEndRecords(tail)
  if (end === undefined) throw foreign('end')
  const { offset, entries: count, bytes: directoryBytes } = end
  const records = endRecords(end)
  const isWhole = offset + directoryBytes + records.length === bytes
  if (!isWhole || !tail.subarray(-records.length).equals(records)) throw foreign('end')
  if (directoryBytes > MAX_DIRECTORY_BYTES) throw unsupported('it has too many entries')

  const directory = await bytesAt(fd, offset, directoryBytes)
  const found: CentralEntry[] = []
  for (let at = 0; at < directory.length;) {
    const entry = centralEntryAt(directory, at)
    if (entry === undefined) throw foreign('directory')
    found.push(entry)
    at += entry.headerBytes
  }
  if (found.length !== count || (found[0]?.record.offset ?? 0) !== 0) throw foreign('directory')
  const entries: ArchiveEntry[] = []
  for (const [i, entry] of found.entries()) {
    const { record, name } = entry
    const header = localHeader(record)
    const dataAt = record.offset + header.length
    const next = found[i + 1]?.record.offset ?? offset
    const isThere = next >= dataAt + record.compressedBytes && next <= offset
    if (!isThere || !(await bytesAt(fd, record.offset, header.length)).equals(header)) {
      throw foreign(`header of \`${name}\``)
    }
    entries.push({ ...entry, dataAt, end: next })
  }
  return entries
}

/** So many bytes, fewer where the file ends. */
export async function bytesAt(fd: number, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await readFrom(fd, buffer, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return buffer.subarray(0, done)
}
