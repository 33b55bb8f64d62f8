import { isUploadError } from '../error.ts'
import { lostUpload } from '../growing-state.ts'
import { verify } from './head.ts'
import { MultipartUpload } from './multipart-upload.ts'
import type { StoredPart } from './multipart-requests.ts'
import type { SentPart } from './multipart-upload.ts'
import type { Sent, Transfer } from './transfer.ts'
import { isMd5, md5Of } from './verify-answer.ts'

interface SentParts {
  /** In their order. */
  readonly parts: readonly SentPart[]
  /** Parts that an earlier run had sent. */
  readonly kept: number
}

/** Store a file in parts, going on where an earlier run stopped. */
export async function putMultipart(transfer: Transfer): Promise<Sent> {
  const { store, source, key, signal } = transfer
  const { upload, parts, kept } = await sendAll(transfer)
  using _ = upload
  try {
    // a file that was written to meanwhile is never completed
    await source.assertUnchanged()
    const sent = await upload.complete(parts)
    const { etag } = store.verifiesByAnswer
      ? { etag: sent }
      : await verify(store, key, source, sent, signal)
    await upload.forget()
    return { etag, parts: parts.length, keptParts: kept }
  } catch (error) {
    if (isLost(error)) await giveUp(transfer, upload, error)
    throw error
  }
}

async function sendAll(transfer: Transfer): Promise<SentParts & { upload: MultipartUpload }> {
  for (let attempt = 1; ; attempt++) {
    const upload =
      (await MultipartUpload.resume(transfer)) ?? (await MultipartUpload.begin(transfer))
    try {
      return { upload, ...(await sendParts(transfer, upload)) }
    } catch (error) {
      upload[Symbol.dispose]()
      if (!isLost(error)) throw error
      await giveUp(transfer, upload, error)
      // aborted meanwhile, by a lifecycle rule or another program: a second time is no coincidence
      if (attempt > 1) throw error
    }
  }
}

/** Frees the parts. A file that can be sent by no other upload keeps its record, which prevents just that. */
async function giveUp(transfer: Transfer, upload: MultipartUpload, error: unknown): Promise<void> {
  if (transfer.freed === undefined) return upload.discard()
  // a part or an object that does not agree may do so at the next attempt
  throw isUploadError(error) && error.code === 'MISMATCH'
    ? error
    : lostUpload(transfer.source, 'the store does not have any more', error)
}

/** Parts that can never become our object are freed; all others wait for the next attempt. */
function isLost(error: unknown): boolean {
  return isUploadError(error) && !error.resumable
}

/** Send what the store does not have yet, each part from a buffer of the shared pool. */
async function sendParts(
  { store, source, signal, onProgress, freed = [] }: Transfer,
  upload: MultipartUpload,
): Promise<SentParts> {
  const { partBytes, etagIsMd5, storedParts } = upload
  const count = Math.ceil(source.size / partBytes)
  const parts = Array.from({ length: count }, (_, index): SentPart => {
    const { etag = '', crc32 } = freed[index - 1] ?? {}
    return { etag, crc32 }
  })
  let next = 0
  let kept = freed.length
  let bytes = freed.length * partBytes
  let failed: { readonly error: unknown } | undefined

  // false when no part is left
  const sendNext = async (): Promise<boolean> => {
    using loan = await store.pool.take(partBytes, signal)
    // the others may have finished or failed while we waited for a buffer
    if (failed || next >= count) return false
    const index = next++
    if (freed[index - 1] !== undefined) return true
    const start = index * partBytes
    const body = await source.read(loan.buffer, Math.min(partBytes, source.size - start), start)
    const earlier = storedParts.get(index + 1)
    const keep = earlier !== undefined && isWhole(earlier, body, etagIsMd5)
    const crc32 = upload.checksumOf(body)
    const etag = keep ? earlier.etag : await upload.sendPart(index + 1, body, crc32)
    parts[index] = { etag, crc32 }
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
  return { parts, kept }
}

/** The size must be equal, and the MD5 where the ETag is one. */
function isWhole({ bytes, etag }: StoredPart, body: Buffer, etagIsMd5: boolean): boolean {
  return (
    bytes === body.length && etag !== '' && (!etagIsMd5 || !isMd5(etag) || etag === md5Of(body))
  )
}
