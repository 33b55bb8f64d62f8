import { createHash } from 'node:crypto'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import type { FileSource } from '../file-source.ts'
import { type Condition, conditionally } from './condition.ts'
import { META, bareEtag } from './object-info.ts'
import { objectParams } from './object-params.ts'
import type { Sending, Store } from './store.ts'

/** Store a file that fits in one buffer; resolves with the ETag, or `taken`. */
export async function putSmall(
  store: Store,
  source: FileSource,
  key: string,
  condition: Condition,
  sending: Sending,
): Promise<string> {
  using loan = await store.pool.take(source.size, sending.signal)
  const body = await source.read(loan.buffer, source.size, 0)
  await source.assertUnchanged()
  const answer = await conditionally(store, condition, (when) =>
    store.send(
      'store',
      key,
      (client, options) =>
        client.send(
          new PutObjectCommand({
            Bucket: store.bucket,
            Key: key,
            // a Buffer: its SHA-256 is signed, and the store checks it
            Body: body,
            ContentLength: body.length,
            Metadata: {
              [META.token]: source.token,
              [META.sha256]: createHash('sha256').update(body).digest('hex'),
            },
            ...objectParams(key, store.options),
            ...when,
          }),
          options,
        ),
      sending,
    ),
  )
  return bareEtag(answer.ETag)
}
