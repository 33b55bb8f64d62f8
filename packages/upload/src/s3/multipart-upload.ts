import { basename } from 'node:path'
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
} from '@aws-sdk/client-s3'
import { isUploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { readRecord, removeRecord, type ResumeRecord, writeRecord } from '../resume-record.ts'
import { META, bareEtag } from './object-info.ts'
import { objectParams } from './object-params.ts'
import { MIN_PART_BYTES, partSize } from './part-size.ts'
import type { Sending, Store } from './store.ts'
import { statusOf } from './store-error.ts'

/** A part as the store has it. */
export interface StoredPart {
  readonly bytes: number
  readonly etag: string
}

/** A multipart upload under way, and the parts that an earlier run has sent. */
export interface MultipartUpload {
  readonly record: ResumeRecord
  readonly parts: ReadonlyMap<number, StoredPart>
}

/** Begin anew, and note beside the file how to go on should we die. */
export async function beginUpload(
  store: Store,
  source: FileSource,
  key: string,
  sending: Sending,
): Promise<MultipartUpload> {
  const partBytes = partSize(source.size, store.partBytes)
  const request = new CreateMultipartUploadCommand({
    Bucket: store.bucket,
    Key: key,
    Metadata: { [META.token]: source.token, [META.partBytes]: String(partBytes) },
    ...objectParams(key, store.options),
  })
  const answer = await store.send(
    'begin the upload of',
    key,
    (client, options) => client.send(request, options),
    sending,
  )
  const record: ResumeRecord = {
    file: basename(source.path),
    token: source.token,
    store: store.id,
    key,
    uploadId: answer.UploadId ?? '',
    partBytes,
    etagIsMd5: !(answer.ServerSideEncryption ?? '').startsWith('aws:kms'),
  }
  await writeRecord(source.path, record)
  return { record, parts: new Map() }
}

/** Go on where an earlier run stopped; undefined when there is nothing (left) to go on with. */
export async function resumeUpload(
  store: Store,
  source: FileSource,
  key: string,
  sending: Sending,
): Promise<MultipartUpload | undefined> {
  const record = await readRecord(source.path)
  if (!record) return undefined
  const isOurs = record.token === source.token && record.store === store.id && record.key === key
  // of a larger part size than today's: its buffers would take more memory than we are given
  const isUsable =
    record.partBytes >= MIN_PART_BYTES && record.partBytes <= partSize(source.size, store.partBytes)
  if (!isOurs || !isUsable) {
    await discardUpload(store, source.path, sending)
    return undefined
  }
  try {
    return { record, parts: await listParts(store, record, sending) }
  } catch (error) {
    // completed, aborted by a lifecycle rule, or by hand
    if (statusOf(error) === 404 && !isMissingBucket(error)) return undefined
    throw error
  }
}

/** Abort the upload that lies beside `file`, so that the store frees its parts, and forget it. */
export async function discardUpload(store: Store, file: string, sending: Sending): Promise<void> {
  const record = await readRecord(file)
  if (record && record.store === store.id && record.completed !== true) {
    const { key: Key, uploadId: UploadId } = record
    const request = new AbortMultipartUploadCommand({ Bucket: store.bucket, Key, UploadId })
    await store
      .send('abort the upload of', Key, (client, options) => client.send(request, options), sending)
      .catch((error: unknown) => {
        // gone already; whatever else is left is the bucket's lifecycle rule's to free
        if (isUploadError(error) && error.scope === 'destination') throw error
      })
  }
  await removeRecord(file)
}

/** What the store has of an upload, page by page. */
export async function listParts(
  store: Store,
  { key: Key, uploadId: UploadId }: Pick<ResumeRecord, 'key' | 'uploadId'>,
  sending: Sending,
): Promise<Map<number, StoredPart>> {
  const parts = new Map<number, StoredPart>()
  for (let marker: string | undefined; ;) {
    const page = new ListPartsCommand({
      Bucket: store.bucket,
      Key,
      UploadId,
      ...(marker === undefined ? {} : { PartNumberMarker: marker }),
    })
    const answer = await store.send(
      'list the parts of',
      Key,
      (client, options) => client.send(page, options),
      sending,
    )
    for (const { PartNumber = 0, Size = -1, ETag } of answer.Parts ?? []) {
      parts.set(PartNumber, { bytes: Size, etag: bareEtag(ETag) })
    }
    const next = answer.NextPartNumberMarker ?? ''
    // a store that repeats a page would keep us for ever
    if (answer.IsTruncated !== true || next === '' || next === marker) return parts
    marker = next
  }
}

function isMissingBucket(error: unknown): boolean {
  return isUploadError(error) && error.code === 'NO_BUCKET'
}
