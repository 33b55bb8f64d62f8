import { createHash } from 'node:crypto'
import { UploadError, isUploadError } from '../error.ts'
import { show } from '../text.ts'
import { verify } from './head.ts'
import { MultipartUpload } from './multipart-upload.ts'
import type { StoredPart } from './multipart-upload.ts'
import type { Sent, Transfer } from './transfer.ts'

interface SentParts {
  /** ETags in the order of the parts. */
  readonly etags: readonly string[]
  /** Parts that an earlier run had sent. */
  readonly kept: number
}

/** Store a file in parts, going on where an earlier run stopped. */
export async function putMultipart(transfer: Transfer): Promise<Sent> {
  const { store, source, key, signal } = transfer
  const { upload, etags, kept } = await sendAll(transfer)
  try {
    // a file that was written to meanwhile is never completed
    await source.assertUnchanged()
    const etag = await upload.complete(etags)
    const stored = await verify(store, key, source, etag, signal)
    await upload.forget()
    return { etag: stored.etag, parts: etags.length, keptParts: kept }
  } catch (error) {
    if (isLost(error)) await upload.discard()
    throw error
  }
}

async function sendAll(transfer: Transfer): Promise<SentParts & { upload: MultipartUpload }> {
  let upload = await MultipartUpload.resume(transfer)
  for (let attempt = 1; ; attempt++) {
    upload ??= await MultipartUpload.begin(transfer)
    try {
      return { upload, ...(await sendParts(transfer, upload)) }
    } catch (error) {
      if (!isLost(error)) throw error
      await upload.discard()
      // aborted meanwhile, by a lifecycle rule or another program: a second time is no coincidence
      if (attempt > 1) throw error
      upload = undefined
    }
  }
}

/** Parts that can never become our object are freed; all others wait for the next attempt. */
function isLost(error: unknown): boolean {
  return isUploadError(error) && !error.resumable
}

/** Send what the store does not have yet, each part from a buffer of the shared pool. */
async function sendParts(
  { store, source, key, signal, onProgress }: Transfer,
  upload: MultipartUpload,
): Promise<SentParts> {
  const { partBytes, etagIsMd5, storedParts } = upload
  const count = Math.ceil(source.size / partBytes)
  const etags: string[] = Array.from({ length: count }, () => '')
  const seen = new Set<string>()
  let next = 0
  let kept = 0
  let bytes = 0
  let failed: { readonly error: unknown } | undefined

  // false when no part is left
  const sendNext = async (): Promise<boolean> => {
    using loan = await store.pool.take(partBytes, signal)
    // the others may have finished or failed while we waited for a buffer
    if (failed || next >= count) return false
    const index = next++
    const start = index * partBytes
    const body = await source.read(loan.buffer, Math.min(partBytes, source.size - start), start)
    const earlier = storedParts.get(index + 1)
    const keep = earlier !== undefined && isWhole(earlier, body, etagIsMd5)
    const etag = keep ? earlier.etag : await upload.sendPart(index + 1, body)
    // computed only when two parts have one ETag: an MD5 of everything would cost a second per GiB
    const isMixedUp = etagIsMd5 && seen.has(etag) && isMd5(etag) && etag !== md5(body)
    if (etag === '' || isMixedUp) throw mixedUp(store.url(key), index + 1)
    seen.add(etag)
    etags[index] = etag
    if (keep) kept++
    bytes += body.length
    onProgress({ bytes, totalBytes: source.size })
    return true
  }
  const worker = async (): Promise<void> => {
    try {
      while (await sendNext());
    } catch (error) {
      failed ??= { error }
    }
  }
  await Promise.all(Array.from({ length: Math.min(store.pool.count, count) }, worker))
  if (failed) throw failed.error
  return { etags, kept }
}

/** The size must be equal, and the MD5 where the ETag is one. */
function isWhole({ bytes, etag }: StoredPart, body: Buffer, etagIsMd5: boolean): boolean {
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
    `The store answered part ${part} of ${show(url)} with no ETag or with another part's: it is sent again`,
    { subject: url },
  )
}
