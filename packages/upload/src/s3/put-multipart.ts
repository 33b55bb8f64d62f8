import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3'
import type { Progress } from '../destination.ts'
import { isUploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { type ResumeRecord, writeRecord } from '../resume-record.ts'
import { type Condition, conditionally } from './condition.ts'
import { beginUpload, discardUpload, type MultipartUpload, resumeUpload } from './multipart-upload.ts'
import { sendParts, type SentParts } from './send-parts.ts'
import { bareEtag } from './object-info.ts'
import type { Sending, Store } from './store.ts'

const GIB = 1024 ** 3
const COMPLETE_BASE_MS = 60_000
/** Some stores copy the parts together before they answer: 4 s per GiB were seen on a busy disk. */
const COMPLETE_PER_GIB_MS = 20_000

export interface CompletedUpload {
  readonly etag: string
  readonly parts: number
  readonly keptParts: number
}

/** Store a file in parts, going on where an earlier run stopped. */
export async function putMultipart(
  store: Store,
  source: FileSource,
  key: string,
  condition: Condition,
  sending: Sending,
  onProgress?: (progress: Progress) => void,
): Promise<CompletedUpload> {
  const { upload, sent } = await transfer(store, source, key, sending, onProgress)
  // a file that was written to meanwhile is never completed
  await source.assertUnchanged()
  const etag = await completeUpload(
    store,
    upload.record,
    sent.etags,
    source.size,
    condition,
    sending,
  )
  await writeRecord(source.path, { ...upload.record, completed: true })
  return { etag, parts: sent.etags.length, keptParts: sent.kept }
}

async function transfer(
  store: Store,
  source: FileSource,
  key: string,
  sending: Sending,
  onProgress?: (progress: Progress) => void,
): Promise<{ upload: MultipartUpload; sent: SentParts }> {
  const resumed = await resumeUpload(store, source, key, sending)
  for (let retry = true, upload = resumed; ; retry = false, upload = undefined) {
    upload ??= await beginUpload(store, source, key, sending)
    try {
      return { upload, sent: await sendParts(store, source, upload, sending, onProgress) }
    } catch (error) {
      if (!isDead(error)) throw error
      await discardUpload(store, source.path, sending)
      // aborted under our hands, by a lifecycle rule or by somebody: once is bad luck
      if (!retry) throw error
    }
  }
}

/** Join the parts; resolves with the ETag of the object, '' where the verification has to tell. */
export async function completeUpload(
  store: Store,
  { key: Key, uploadId: UploadId }: Pick<ResumeRecord, 'key' | 'uploadId'>,
  etags: readonly string[],
  size: number,
  condition: Condition,
  sending: Sending,
): Promise<string> {
  const Parts = etags.map((ETag, index) => ({ PartNumber: index + 1, ETag: `"${ETag}"` }))
  const patient = {
    ...sending,
    timeoutMs: COMPLETE_BASE_MS + Math.ceil((size / GIB) * COMPLETE_PER_GIB_MS),
  }
  try {
    const answer = await conditionally(store, condition, (when) => {
      const request = new CompleteMultipartUploadCommand({
        Bucket: store.bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts },
        ...when,
      })
      return store.send(
        'complete',
        Key,
        (client, options) => client.send(request, options),
        patient,
      )
    })
    return bareEtag(answer.ETag)
  } catch (error) {
    // completed by an attempt whose answer was lost, or not at all: the verification tells
    if (isUploadError(error) && error.storeCode === 'NoSuchUpload') return ''
    throw error
  }
}

/** The upload will never be completed: forget it and start anew. */
export function isDead(error: unknown): boolean {
  return (
    isUploadError(error) &&
    (error.code === 'MISMATCH' ||
      ['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'].includes(
        error.storeCode ?? '',
      ))
  )
}
