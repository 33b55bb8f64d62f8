import { createHash } from 'node:crypto'
import { UploadPartCommand } from '@aws-sdk/client-s3'
import type { Progress } from '../destination.ts'
import { UploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import type { ResumeRecord } from '../resume-record.ts'
import { show } from '../show.ts'
import type { MultipartUpload, StoredPart } from './multipart-upload.ts'
import { bareEtag } from './object-info.ts'
import type { Sending, Store } from './store.ts'

export interface SentParts {
  /** ETags in the order of the parts. */
  readonly etags: readonly string[]
  readonly kept: number
}

/** Send what the store does not have yet, each part from a buffer of the shared pool. */
export async function sendParts(
  store: Store,
  source: FileSource,
  upload: MultipartUpload,
  sending: Sending,
  onProgress: (progress: Progress) => void = () => {},
): Promise<SentParts> {
  const { partBytes, etagIsMd5 } = upload.record
  const count = Math.ceil(source.size / partBytes)
  const etags: string[] = Array.from({ length: count }, () => '')
  const firstOf = new Map<string, number>()
  let next = 0
  let kept = 0
  let bytes = 0
  let failed: { readonly error: unknown } | undefined

  // false when there is nothing more to do
  const carryOne = async (): Promise<boolean> => {
    using loan = await store.pool.take(partBytes, sending.signal)
    // the others may have finished or failed while we waited for our turn
    if (failed || next >= count) return false
    const index = next++
    const start = index * partBytes
    const body = await source.read(loan.buffer, Math.min(partBytes, source.size - start), start)
    const earlier = upload.parts.get(index + 1)
    const keep = earlier !== undefined && isKept(earlier, body, etagIsMd5)
    const etag = keep
      ? earlier.etag
      : await sendPart(store, upload.record, index + 1, body, sending)
    // only looked at when two parts have one ETag: an MD5 of everything would cost a second per GiB
    if (etagIsMd5 && firstOf.has(etag) && isMd5(etag) && etag !== md5(body)) {
      throw mixedUp(store.url(upload.record.key), index + 1)
    }
    firstOf.set(etag, index)
    etags[index] = etag
    if (keep) kept++
    bytes += body.length
    onProgress({ bytes, totalBytes: source.size })
    return true
  }
  const worker = async (): Promise<void> => {
    try {
      while (await carryOne());
    } catch (error) {
      failed ??= { error }
    }
  }
  await Promise.all(Array.from({ length: Math.min(store.pool.count, count) }, worker))
  if (failed) throw failed.error
  return { etags, kept }
}

/** Send one part; resolves with its ETag. */
export async function sendPart(
  store: Store,
  { key, uploadId }: Pick<ResumeRecord, 'key' | 'uploadId'>,
  PartNumber: number,
  Body: Buffer,
  sending: Sending,
): Promise<string> {
  const request = new UploadPartCommand({
    Bucket: store.bucket,
    Key: key,
    UploadId: uploadId,
    PartNumber,
    // a Buffer: its SHA-256 is signed, and the store checks it
    Body,
    ContentLength: Body.length,
  })
  const answer = await store.send(
    `send part ${PartNumber} of`,
    key,
    (client, options) => client.send(request, options),
    sending,
  )
  const etag = bareEtag(answer.ETag)
  if (etag === '') throw mixedUp(store.url(key), PartNumber)
  return etag
}

/** The size must be equal, and the MD5 where the ETag is one. */
function isKept({ bytes, etag }: StoredPart, body: Buffer, etagIsMd5: boolean): boolean {
  return bytes === body.length && etag !== '' && (!etagIsMd5 || !isMd5(etag) || etag === md5(body))
}

function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag)
}

function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('hex')
}

function mixedUp(url: string, part: number): UploadError {
  return new UploadError(
    'MISMATCH',
    `The store answered part ${part} of ${show(url)} with no ETag or with another part's: it is sent anew`,
    { subject: url },
  )
}
