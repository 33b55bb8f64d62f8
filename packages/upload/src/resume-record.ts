import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const SUFFIX = '.upload.json'
// write-file-atomic appends a dot and up to ten digits while it writes
const MAX_NAME_BYTES = 255 - 11
// file, key and upload id of a record are 1 KiB each at most, 10,000 freed parts 100 bytes each
const MAX_BYTES = 2 ** 20
// no link is followed, no FIFO waited for
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** What a later run needs to resume a multipart upload; a hidden file beside the file. */
export interface ResumeRecord {
  /** Name of the file it belongs to, in the same directory. */
  readonly file: string
  /** State of the file at the start, see `FileSource.token`. */
  readonly token: string
  /** Store and bucket, without credentials. */
  readonly store: string
  readonly key: string
  /** Empty when it was sent in one request. */
  readonly uploadId: string
  readonly partBytes: number
  /** False where the store encrypts, so that an ETag is not computed from the content. */
  readonly etagIsMd5: boolean
  /** Each part has a checksum, and they are listed at the end. */
  readonly checksum?: 'CRC32'
  /** The store has answered that it is complete; only the verification is missing. */
  readonly completed?: boolean
  /** And its answer had the right checksum or ETag. */
  readonly confirmed?: boolean
  /** Name of the file while it is still written, in the same directory; see `GrowingUpload`. */
  readonly unfinished?: string
  /** The parts from the second on that only the store has: their range of the file was freed. */
  readonly freed?: readonly FreedPart[]
  /** `FileSource.token` of the file when it was finished; its object has `token`. */
  readonly sealed?: string
}

/** A part of a file that is read from the store alone, as it is named at completion. */
export interface FreedPart {
  readonly etag: string
  readonly crc32?: string
}

/** `/dir/.x.zip.upload.json` for `/dir/x.zip`; a name too long for that ends in a hash. */
export function recordPath(file: string): string {
  const name = basename(file)
  const plain = `.${name}${SUFFIX}`
  if (Buffer.byteLength(plain) <= MAX_NAME_BYTES) return join(dirname(file), plain)
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32)
  return join(dirname(file), `.${hash}${SUFFIX}`)
}

/** The record beside `file`; undefined when there is no valid one. */
export async function readRecord(file: string): Promise<ResumeRecord | undefined> {
  const record = await parseRecord(recordPath(file))
  return record?.file === basename(file) ? record : undefined
}

/** The record at `path`, whatever file it belongs to. */
export async function parseRecord(path: string): Promise<ResumeRecord | undefined> {
  try {
    await using file = await open(path, FLAGS)
    const bytes = Math.min((await file.stat()).size, MAX_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0)
    const value: unknown = JSON.parse(buffer.toString('utf8', 0, bytesRead))
    return isRecord(value) ? value : undefined
  } catch {
    // absent, torn or invalid: without it the upload starts from the beginning
    return undefined
  }
}

/** Best effort: on a full disk, when uploading matters most, the upload goes on without a record. */
export async function writeRecord(
  file: string,
  record: ResumeRecord,
  { isDurable = false }: { readonly isDurable?: boolean } = {},
): Promise<void> {
  await saveRecord(file, record, { isDurable }).catch(() => {})
}

/** The same where the upload depends on its record: rejects when it cannot be written. */
export async function saveRecord(
  file: string,
  record: ResumeRecord,
  { isDurable = true }: { readonly isDurable?: boolean } = {},
): Promise<void> {
  // loaded late: it installs an exit handler, which an idle agent does without
  const { default: writeFileAtomic } = await import('write-file-atomic')
  const path = recordPath(file)
  const options = { mode: 0o600, fsync: isDurable }
  await writeFileAtomic(path, `${JSON.stringify(record)}\n`, options)
  if (isDurable) await syncDirectory(dirname(path))
}

/** After a power-off the name is there too, and not only the content. */
async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  await handle.sync()
}

/** Remove the record, if there is one. */
export async function removeRecord(file: string): Promise<void> {
  await rm(recordPath(file), { force: true }).catch(() => {})
}

function isRecord(value: unknown): value is ResumeRecord {
  if (typeof value !== 'object' || value === null) return false
  const r = value as Partial<Record<keyof ResumeRecord, unknown>>
  return (
    [r.file, r.token, r.store, r.key].every((v) => typeof v === 'string' && v !== '') &&
    typeof r.uploadId === 'string' &&
    (r.uploadId !== '' || r.completed === true) &&
    isName(r.file) &&
    Number.isSafeInteger(r.partBytes) &&
    Number(r.partBytes) > 0 &&
    typeof r.etagIsMd5 === 'boolean' &&
    (r.unfinished === undefined || isName(r.unfinished)) &&
    (r.sealed === undefined || typeof r.sealed === 'string') &&
    (r.freed === undefined || (Array.isArray(r.freed) && r.freed.every(isFreedPart)))
  )
}

/** A name, which leads to no other directory. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && basename(value) === value && value !== '..'
}

function isFreedPart(value: unknown): value is FreedPart {
  if (typeof value !== 'object' || value === null || !('etag' in value)) return false
  const crc32 = 'crc32' in value ? value.crc32 : undefined
  return typeof value.etag === 'string' && (crc32 === undefined || typeof crc32 === 'string')
}
