import { createHash, randomUUID } from 'node:crypto'
import { AbortMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { isUploadError } from '../../error.ts'
import type { PartsState } from '../../parts-writer.ts'
import { KeyTaken, conditionally } from '../condition.ts'
import { META, bareEtag } from '../object-info.ts'
import { objectParams } from '../object-params.ts'
import { completeUpload } from '../put-multipart.ts'
import type { Sending, Store } from '../store.ts'
import { verify } from '../verify.ts'

/** An object that the store has confirmed. */
export interface Confirmed {
  readonly etag: string
  readonly parts: number
}

/** Join the parts, and have the store tell that it has the object. */
export async function completeParts(
  store: Store,
  { key, uploadId, token, etags }: PartsState,
  size: number,
  sending: Sending,
): Promise<Confirmed> {
  let told = ''
  try {
    told = await completeUpload(store, { key, uploadId }, etags, size, 'absent', sending)
  } catch (error) {
    // by us, with an answer that was lost, or by another: the verification tells
    if (!(error instanceof KeyTaken)) throw error
  }
  const { etag } = await verify(store, key, { size, token }, told, sending)
  return { etag, parts: etags.length }
}

/** Store what fits in one part. */
export async function putWhole(
  store: Store,
  key: string,
  body: Buffer,
  sending: Sending,
): Promise<Confirmed> {
  const token = randomUUID()
  const put = async (when: { IfNoneMatch?: '*' }): Promise<string> => {
    const request = new PutObjectCommand({
      Bucket: store.bucket,
      Key: key,
      Body: body,
      ContentLength: body.length,
      Metadata: {
        [META.token]: token,
        [META.sha256]: createHash('sha256').update(body).digest('hex'),
      },
      ...objectParams(key, store.options),
      ...when,
    })
    const answer = await store.send(
      'store',
      key,
      (client, options) => client.send(request, options),
      sending,
    )
    return bareEtag(answer.ETag)
  }
  let told = ''
  try {
    told = await conditionally(store, 'absent', put)
  } catch (error) {
    if (!(error instanceof KeyTaken)) throw error
  }
  const { etag } = await verify(store, key, { size: body.length, token }, told, sending)
  return { etag, parts: 0 }
}

/** Free the parts; what cannot be freed is the bucket's lifecycle rule's. */
export async function abortParts(
  store: Store,
  { key: Key, uploadId: UploadId }: Pick<PartsState, 'key' | 'uploadId'>,
): Promise<void> {
  const request = new AbortMultipartUploadCommand({ Bucket: store.bucket, Key, UploadId })
  await store
    .send('abort the upload of', Key, (client, options) => client.send(request, options), {})
    .catch((error: unknown) => {
      if (!isUploadError(error)) throw error
    })
}
