import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { abortable } from '../abortable.ts'
import { counted } from '../counted.ts'
import type {
  Destination,
  GrowingFile,
  GrowingUpload,
  PutOptions,
  PutStreamOptions,
  Stored,
} from '../destination.ts'
import { openSource } from '../file-source.ts'
import { appendToKey, checkKey } from '../key.ts'
import { S3GrowingUpload } from './growing-upload.ts'
import { checkBucket, headIfAllowed, verify } from './head.ts'
import { discardUpload } from './multipart-requests.ts'
import { META, objectParams } from './object-params.ts'
import { partSize } from './options.ts'
import type { S3Options } from './options.ts'
import { putFile } from './put-file.ts'
import { Store } from './store.ts'
import { bareEtag, unconfirmed } from './verify-answer.ts'

/** Of a stream. */
const DEFAULT_MAX_BYTES = 64 * 1024 ** 3

/** Objects below a prefix of one bucket. */
export class S3Destination implements Destination {
  readonly url: string
  readonly #store: Store

  /** `prefix` is empty or ends in a slash. */
  constructor(bucket: string, prefix: string, options: S3Options) {
    this.url = `s3://${bucket}/${prefix}`
    this.#store = new Store(bucket, prefix, options)
  }

  async put(file: string, key: string, options: PutOptions = {}): Promise<Stored> {
    checkKey(key, this.#store.prefix)
    await using source = await openSource(file, options.handle)
    return await putFile(this.#store, source, key, options)
  }

  async putStream(
    source: Readable | AsyncIterable<Uint8Array>,
    key: string,
    options: PutStreamOptions = {},
  ): Promise<Stored> {
    return putStream(this.#store, source, checkKey(key, this.#store.prefix), options)
  }

  async putGrowing(file: GrowingFile, key: string): Promise<GrowingUpload> {
    return S3GrowingUpload.open(this.#store, file, checkKey(key, this.#store.prefix))
  }

  async check({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await checkBucket(this.#store, signal)
  }

  async abandon(file: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await discardUpload(this.#store, file, signal)
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}

/** Store a stream of unknown length by lib-storage; on any failure nothing of it is left in the store. */
async function putStream(
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
