import { AbortMultipartUploadCommand, ListPartsCommand } from '@aws-sdk/client-s3'
import { throwIfAborted } from '../abortable.ts'
import { isUploadError } from '../error.ts'
import type { UploadError } from '../error.ts'
import { lostUpload } from '../growing-state.ts'
import { readRecord, removeRecord } from '../resume-record.ts'
import type { ResumeRecord } from '../resume-record.ts'
import type { Store } from './store.ts'
import { isOf } from './transfer.ts'
import type { Transfer } from './transfer.ts'
import { bareEtag } from './verify-answer.ts'

/** A part as the store has it. */
export interface StoredPart {
  readonly bytes: number
  readonly etag: string
}

/** What the store has of an upload, page by page. */
export async function listParts(
  store: Store,
  { key: Key, uploadId: UploadId }: ResumeRecord,
  signal: AbortSignal | undefined,
): Promise<Map<number, StoredPart>> {
  const parts = new Map<number, StoredPart>()
  for (let marker: string | undefined; ;) {
    const page = new ListPartsCommand({
      Bucket: store.bucket,
      Key,
      UploadId,
      ...(marker === undefined ? {} : { PartNumberMarker: marker }),
    })
    const answer = await store.send('list the parts of', Key, page, { signal })
    for (const { PartNumber = 0, Size = -1, ETag } of answer.Parts ?? []) {
      parts.set(PartNumber, { bytes: Size, etag: bareEtag(ETag) })
    }
    const next = answer.NextPartNumberMarker ?? ''
    // a store that repeats a page would keep us in this loop
    if (answer.IsTruncated !== true || next === '' || next === marker) return parts
    marker = next
  }
}

/** What the store has of an upload whose freed parts are known, also where we may not list them. */
export async function partsWith(
  freed: NonNullable<Transfer['freed']>,
  transfer: Transfer,
  record: ResumeRecord,
): Promise<Map<number, StoredPart>> {
  const { store, signal } = transfer
  const parts = await listParts(store, record, signal).catch((error: unknown) => {
    if (isUploadError(error) && error.storeCode === 'NoSuchUpload') {
      throw lostUpload(transfer.source, 'the store does not have any more', error)
    }
    if (isRefused(error) && error.httpStatus !== 404) return new Map<number, StoredPart>()
    throw error
  })
  for (const [index, { etag }] of freed.entries()) {
    parts.set(index + 2, { bytes: record.partBytes, etag })
  }
  return parts
}

/** Abort an upload, so that the store frees its parts. */
export async function abortUpload(
  store: Store,
  { key: Key, uploadId: UploadId }: Pick<ResumeRecord, 'key' | 'uploadId'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: store.bucket, Key, UploadId })
  await store.send('abort the upload of', Key, command, { signal })
}

/** Abort an upload of this transfer, and remove its record, if it is still the one beside the file. */
export async function discardById(
  { store, source, key, signal }: Transfer,
  uploadId: string,
): Promise<void> {
  // also one that is recorded as completed: a part that another process sent meanwhile may have outlived that
  await abortUpload(store, { key, uploadId }, signal).catch(async (error: unknown) => {
    throwIfAborted(signal)
    // not allowed, or gone: that is for the bucket's lifecycle rule; of other failures, the record reminds a later run
    if (!isRefusedForGood(error) && (await isRecorded())) throw error
  })
  // another process that sends the same file may have written a record of its own
  if (await isRecorded()) await removeRecord(source.path)

  async function isRecorded(): Promise<boolean> {
    return (await readRecord(source.path))?.uploadId === uploadId
  }
}

/** Abort the upload that the record beside `file` names, if it is in this store, and remove the record. */
export async function discardUpload(
  store: Store,
  file: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const record = await readRecord(file)
  if (record && isOf(record, { store }) && record.completed !== true) {
    await abortUpload(store, record, signal).catch((error: unknown) => {
      // aborted already, or not allowed: that is for the bucket's lifecycle rule
      if (!isRefusedForGood(error)) throw error
    })
  }
  await removeRecord(file)
}

/** The store answers, and does not do this for us. */
export function isRefused(error: unknown): error is UploadError {
  if (!isUploadError(error)) return false
  const { code, httpStatus = 0 } = error
  if (httpStatus === 404) return code !== 'NO_BUCKET'
  const isAnswer = httpStatus >= 400 && httpStatus < 500
  return code === 'DENIED' || code === 'REFUSED' || (code === 'STORE' && isAnswer)
}

/** And would not later either: it is no refusal of everything. */
function isRefusedForGood(error: unknown): boolean {
  return (
    isRefused(error) && (error.scope === 'file' || [404, 405, 501].includes(error.httpStatus ?? 0))
  )
}
