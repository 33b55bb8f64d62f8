import { randomUUID } from 'node:crypto'
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { UploadError, isUploadError } from '../../error.ts'
import type { PartsState } from '../../parts-writer.ts'
import { show } from '../../show.ts'
import { head } from '../head.ts'
import { listParts } from '../multipart-upload.ts'
import { META } from '../object-info.ts'
import { objectParams } from '../object-params.ts'
import { statusOf } from '../store-error.ts'
import type { Sending, Store } from '../store.ts'

/** Begin an upload whose parts come one by one. */
export async function beginParts(
  store: Store,
  key: string,
  partBytes: number,
  sending: Sending,
): Promise<PartsState> {
  const token = randomUUID()
  const request = new CreateMultipartUploadCommand({
    Bucket: store.bucket,
    Key: key,
    Metadata: { [META.token]: token, [META.partBytes]: String(partBytes) },
    ...objectParams(key, store.options),
  })
  const { UploadId: uploadId = '' } = await store.send(
    'begin the upload of',
    key,
    (client, options) => client.send(request, options),
    sending,
  )
  return { store: store.id, key, uploadId, token, partBytes, etags: [] }
}

/**
 * Whether the parts of an earlier writer are still there: `under-way`, or `completed` where only its
 * verification is missing. Rejects with `MISMATCH` (store code `NoSuchUpload`) when they are not.
 */
export async function findParts(
  store: Store,
  state: PartsState,
  sending: Sending,
): Promise<'under-way' | 'completed'> {
  const { key, partBytes, etags } = state
  if (state.store !== store.id) {
    const message = `${show(key)} was begun in ${show(state.store)}, which is not the destination any more: set that again, or delete the file`
    throw new UploadError('INVALID', message, { subject: store.url(key) })
  }
  const parts = await listParts(store, state, sending).catch((error: unknown) => {
    if (statusOf(error) === 404 && !(isUploadError(error) && error.code === 'NO_BUCKET')) return
    throw error
  })
  if (parts === undefined) {
    const found = await head(store, key, sending)
    if (found?.metadata[META.token] === state.token) return 'completed'
  }
  const isThere = (etag: string, index: number): boolean => {
    const part = parts?.get(index + 1)
    return part?.bytes === partBytes && part.etag === etag
  }
  if (parts !== undefined && etags.every(isThere)) return 'under-way'
  const message = `The store has dropped the beginning of ${show(store.url(key))}: an upload that waits may be ended by a lifecycle rule`
  throw new UploadError('MISMATCH', message, {
    subject: store.url(key),
    storeCode: 'NoSuchUpload',
    retryable: false,
  })
}
