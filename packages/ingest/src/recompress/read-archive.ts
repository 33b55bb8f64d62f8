import { read } from 'node:fs'
import { promisify } from 'node:util'
import { IngestError } from '../error.ts'
import { endRecords } from '../zip/end-records.ts'
import { localHeader } from '../zip/local-header.ts'
import { SEE_ZIP64 } from '../zip/zip64-extra.ts'
import { type CentralEntry, centralEntryAt } from './central-entry.ts'

const readFrom = promisify(read)

const END_BYTES = 22
const LOCATOR_BYTES = 20
const ZIP64_END_BYTES = 56
/** Tens of thousands of entries; held in memory. */
const MAX_DIRECTORY_BYTES = 8 * 1024 * 1024

/** An entry and where its parts are in the file. */
export interface ArchiveEntry extends CentralEntry {
  readonly dataAt: number
  /** Of its data, and what may follow it: the next entry begins there. */
  readonly end: number
}

/**
 * The entries of an archive, in order, one right behind the other. Throws `UNSUPPORTED` for whatever
 * this package would not have written just so: another program's, encrypted, or a damaged one.
 */
export async function readArchive(
  fd: number,
  bytes: number,
  path: string,
): Promise<readonly ArchiveEntry[]> {
  const unsupported = (why: string): IngestError =>
    new IngestError('UNSUPPORTED', path, `Cannot compress \`${path}\` anew: ${why}`)
  const foreign = (what: string): IngestError =>
    unsupported(`its ${what} is not as this package writes it (foreign, encrypted or damaged)`)

  const tailAt = Math.max(0, bytes - END_BYTES - LOCATOR_BYTES - ZIP64_END_BYTES)
  const tail = await bytesAt(fd, tailAt, bytes - tailAt)
  const end = endOf(tail)
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

/** What the last records say of the directory; APPNOTE 4.3.14-16. */
function endOf(
  tail: Buffer,
): { readonly entries: number; readonly offset: number; readonly bytes: number } | undefined {
  const end = tail.subarray(-END_BYTES)
  if (end.length < END_BYTES || end.readUInt32LE(0) !== 0x06054b50) return undefined
  const entries = end.readUInt16LE(10)
  const [bytes, offset] = [end.readUInt32LE(12), end.readUInt32LE(16)]
  if (entries < 0xffff && bytes < SEE_ZIP64 && offset < SEE_ZIP64) return { entries, offset, bytes }
  if (tail.length < ZIP64_END_BYTES + LOCATOR_BYTES + END_BYTES) return undefined
  const [more, size, at] = [32, 40, 48].map((field) => Number(tail.readBigUInt64LE(field)))
  return { entries: more ?? 0, offset: at ?? 0, bytes: size ?? 0 }
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
