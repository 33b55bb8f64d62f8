import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { abortable } from '../abortable.ts'
import { counted } from '../counted.ts'
import type { PutStreamOptions, Stored } from '../destination.ts'
import { appendToKey } from '../key.ts'
import { headIfAllowed, verify } from './head.ts'
import { META, objectParams } from './object-params.ts'
import { partSize } from './part-size.ts'
import type { Store } from './store.ts'
import { bareEtag, unconfirmed } from './verify-answer.ts'

const DEFAULT_MAX_BYTES = 64 * 1024 ** 3

/** Store a stream of unknown length by lib-storage; on any failure nothing of it is left in the store. */
export async function putStream(
  store: Store,
  source: Readable | AsyncIterable<Uint8Array>,
  key: string,
  { signal, onProgress, maxBytes = DEFAULT_MAX_BYTES, uniqueId }: PutStreamOptions,
): Promise<Stored> {
  const taken = await headIfAllowed(store, store.prefix + key, signal)
  const used = typeof taken === 'object' ? appendToKey(key, uniqueId ?? randomUUID()) : key
  const Key = store.prefix + used
  const token = randomUUID()
  let bytes = 0
  let sent = 0
  const body = counted(source, maxBytes, (progress) => (bytes = progress.bytes))
  const params = {
    Bucket: store.bucket,
    Key,
    Body: Readable.from(body, { objectMode: true }),
    Metadata: { [META.token]: token },
    ...objectParams(key, store.options),
  }
  const { Upload } = await import('@aws-sdk/lib-storage')
  const answer = await store.use(
    'store the stream as',
    Key,
    async (client) => {
      const upload = new Upload({
        client,
        params,
        queueSize: store.pool.count,
        // unknown in advance: parts of a size with which 10,000 of them reach the limit
        partSize: partSize(maxBytes, store.partBytes),
      })
      upload.on('httpUploadProgress', ({ loaded = 0 }) => onProgress?.({ bytes: (sent = loaded) }))
      const stop = (): void => void upload.abort()
      signal?.addEventListener('abort', stop, { once: true })
      try {
        return await abortable(upload.done(), signal)
      } finally {
        signal?.removeEventListener('abort', stop)
      }
    },
    signal,
  )
  const expected = { size: bytes, token }
  const sentEtag = bareEtag(answer.ETag)
  if (store.verifiesByAnswer && sentEtag === '') throw unconfirmed(store.url(Key))
  const { etag } = store.verifiesByAnswer
    ? { etag: sentEtag }
    : await verify(store, Key, expected, sentEtag, signal)
  if (sent !== bytes) onProgress?.({ bytes })
  return {
    url: store.url(Key),
    key: used,
    bytes,
    outcome: 'stored',
    parts: 0,
    keptParts: 0,
    etag,
    ...(used === key ? {} : { takenKey: key }),
  }
}
