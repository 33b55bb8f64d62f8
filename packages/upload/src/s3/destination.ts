import type {
  Destination,
  GrowingFile,
  GrowingUpload,
  PutOptions,
  PutStreamOptions,
  Stored,
} from '../destination.ts'
import type { Readable } from 'node:stream'
import { openSource } from '../file-source.ts'
import { checkKey } from '../key.ts'
import { checkBucket } from './head.ts'
import { S3GrowingUpload } from './growing-upload.ts'
import { discardUpload } from './multipart-upload.ts'
import type { S3Options } from './options.ts'
import { putFile } from './put-file.ts'
import { putStream } from './put-stream.ts'
import { Store } from './store.ts'

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
