import { HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { isUploadError } from '../error.ts'
import { bareEtag, type ObjectInfo } from './object-info.ts'
import type { Sending, Store } from './store.ts'
import { statusOf } from './store-error.ts'

/** What is stored under `key`; undefined when nothing is. */
export async function head(
  store: Store,
  key: string,
  sending: Sending,
): Promise<ObjectInfo | undefined> {
  try {
    const answer = await store.send(
      'look at',
      key,
      (client, options) =>
        client.send(new HeadObjectCommand({ Bucket: store.bucket, Key: key }), options),
      sending,
    )
    return {
      bytes: answer.ContentLength ?? 0,
      etag: bareEtag(answer.ETag),
      metadata: answer.Metadata ?? {},
      etagIsMd5:
        !(answer.ServerSideEncryption ?? '').startsWith('aws:kms') &&
        answer.SSECustomerAlgorithm === undefined,
    }
  } catch (error) {
    const status = statusOf(error) ?? 0
    if (status === 404) return undefined
    // a HEAD has no body: a request that has one tells what is wrong with us
    if (isRefusal(status)) await checkBucket(store, sending)
    throw error
  }
}

/**
 * The same before the upload, where a refusal is no answer yet: without s3:ListBucket AWS says 403 of
 * a key that does not exist.
 */
export async function headIfAllowed(
  store: Store,
  key: string,
  sending: Sending,
): Promise<ObjectInfo | undefined | 'unknown'> {
  try {
    return await head(store, key, sending)
  } catch (error) {
    if (
      isRefusal(statusOf(error) ?? 0) &&
      isUploadError(error) &&
      error.subject === store.url(key)
    ) {
      return 'unknown'
    }
    throw error
  }
}

function isRefusal(status: number): boolean {
  return status === 400 || status === 401 || status === 403
}

/** Whether the bucket is there and takes our credentials; not being allowed to list it is no failure. */
export async function checkBucket(store: Store, sending: Sending): Promise<void> {
  const Prefix = store.prefix
  const request = new ListObjectsV2Command({ Bucket: store.bucket, Prefix, MaxKeys: 1 })
  try {
    await store.send('list', Prefix, (client, options) => client.send(request, options), sending)
  } catch (error) {
    if (!isUploadError(error) || error.code !== 'DENIED') throw error
  }
}
