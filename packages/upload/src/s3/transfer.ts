import { basename } from 'node:path'
import type { Progress, Stored } from '../destination.ts'
import { isUploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { readRecord, writeRecord } from '../resume-record.ts'
import type { FreedPart, ResumeRecord } from '../resume-record.ts'
import { storeId } from './store.ts'
import type { Store } from './store.ts'

/** One file on its way to one key of a bucket. */
export interface Transfer {
  readonly store: Store
  readonly source: FileSource
  /** With the destination's prefix. */
  readonly key: string
  /** `absent`: fail with {@link KeyTaken} when the key has an object; `any`: replace the object. */
  readonly condition: 'absent' | 'any'
  /** Other writers store the same content under the key: their uploads in progress are not left-overs. */
  readonly shared: boolean
  /** Parts from the second on that only the store has: the file can be sent by no other upload. */
  readonly freed?: readonly FreedPart[]
  /** Name of the file while it is still written. */
  readonly unfinished?: string
  readonly signal: AbortSignal | undefined
  readonly onProgress: (progress: Progress) => void
}

/** What a transfer has sent and the store has confirmed. */
export type Sent = Pick<Stored, 'parts' | 'keptParts'> & { readonly etag: string }

/** The key got an object between our HEAD and our request. */
export class KeyTaken extends Error {
  override readonly name = 'KeyTaken'
  /**
   * The multipart upload that could not be completed. Its record may be gone: another process that sends the same
   * file has one at the same path.
   */
  readonly uploadId: string | undefined

  constructor(uploadId: string | undefined, cause: unknown) {
    super('The key is taken', { cause })
    this.uploadId = uploadId
  }
}

/** How stores refuse a header that they do not know; Swift answers 501, others 400. */
const UNKNOWN_HEADER: ReadonlySet<number | undefined> = new Set([400, 405, 501])

/**
 * Make a request with `If-None-Match: *` when the key has to be absent. A store that refuses it and takes the
 * same request without gets this and all later ones without it.
 */
export async function conditionally<T>(
  { store, condition }: Transfer,
  request: (when: { IfNoneMatch?: '*' }) => Promise<T>,
  uploadId?: string,
): Promise<T> {
  if (condition === 'any' || !store.takesConditions) return request({})
  try {
    return await request({ IfNoneMatch: '*' })
  } catch (error) {
    if (!isUploadError(error)) throw error
    if (error.httpStatus === 412) throw new KeyTaken(uploadId, error)
    if (error.code !== 'REFUSED' || !UNKNOWN_HEADER.has(error.httpStatus)) throw error
    const answer = await request({})
    store.takesConditions = false
    return answer
  }
}

/** The record of a transfer; without an `uploadId` of one in a single request. */
export function newRecord(
  { store, source, key, unfinished }: Transfer,
  uploadId: string,
): ResumeRecord {
  return {
    file: basename(source.path),
    token: source.token,
    store: store.id,
    key,
    uploadId,
    partBytes: store.partBytes,
    etagIsMd5: true,
    ...(unfinished !== undefined && { unfinished }),
  }
}

/** Whether a record is of this store, and of this source and key where they are given. */
export function isOf(
  record: ResumeRecord,
  { store, source, key }: Pick<Transfer, 'store'> & Partial<Transfer>,
): boolean {
  return (
    // its endpoint may be spelled otherwise now
    storeId(record.store) === store.id &&
    (source === undefined || record.token === source.token) &&
    (key === undefined || record.key === key)
  )
}

/** Note that all was sent, so that the next attempt does not send it again only to learn that it may not verify it. */
export async function noteSent(transfer: Transfer, confirmed: boolean): Promise<void> {
  const record = { ...newRecord(transfer, ''), completed: true, confirmed }
  await writeRecord(transfer.source.path, record)
}

/** Whether an earlier run has sent this very transfer: `confirmed` by the store's answer, or else `unverified`. */
export async function sentBefore(
  transfer: Transfer,
): Promise<'confirmed' | 'unverified' | undefined> {
  const record = await readRecord(transfer.source.path)
  if (record?.completed !== true || !isOf(record, transfer)) return undefined
  return record.confirmed === true ? 'confirmed' : 'unverified'
}
