import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3'
import { abortable, throwIfAborted } from '../abortable.ts'
import { show } from '../text.ts'
import { BufferPool } from './buffer-pool.ts'
import { ReplaceableClient } from './client.ts'
import type { S3Options } from './options.ts'
import { MIN_PART_BYTES } from './part-size.ts'
import { fromStoreError } from './store-error.ts'

const DEFAULT_PART_BYTES = 8 * 1024 * 1024
const REQUEST_TIMEOUT_MS = 600_000

/** How one request is made. */
export interface RequestOptions {
  readonly signal: AbortSignal | undefined
  /** Limit of each attempt, answer included. @default 600000 */
  readonly timeoutMs?: number
}

/** One bucket: its client, its memory, what it turned out not to support. */
export class Store {
  readonly bucket: string
  readonly prefix: string
  readonly options: S3Options
  readonly pool: BufferPool
  readonly partBytes: number
  /** Until the store answers 501 to `If-None-Match`. */
  takesConditions = true
  readonly #client: ReplaceableClient

  constructor(bucket: string, prefix: string, options: S3Options) {
    this.bucket = bucket
    this.prefix = prefix
    this.options = options
    this.partBytes = Math.max(options.partBytes ?? DEFAULT_PART_BYTES, MIN_PART_BYTES)
    this.pool = new BufferPool(options.workers ?? 2, this.partBytes)
    this.#client = new ReplaceableClient(bucket, options)
  }

  /** Bucket and where it is, as a resume record names them. */
  get id(): string {
    return `${this.options.endpoint ?? 'aws'} ${this.bucket}`
  }

  /** `s3://bucket/key`, the key with the destination's prefix. */
  url(key: string): string {
    return `s3://${this.bucket}/${key}`
  }

  /** Send one command; an error names the attempt by `verb` and `key`. */
  async send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    verb: string,
    key: string,
    command: $Command<Input, Output, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes>,
    { signal, timeoutMs = REQUEST_TIMEOUT_MS }: RequestOptions,
  ): Promise<Output> {
    const options = { requestTimeout: timeoutMs, ...(signal ? { abortSignal: signal } : {}) }
    return this.use(verb, key, (client) => client.send(command, options), signal)
  }

  /** Work with the client; whatever it throws becomes an `UploadError`. */
  async use<T>(
    verb: string,
    key: string,
    work: (client: S3Client) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    throwIfAborted(signal)
    try {
      const client = await this.#client.get()
      throwIfAborted(signal)
      return await abortable(work(client), signal)
    } catch (cause) {
      // the signal may have ended a connection that reports itself as broken
      throwIfAborted(signal)
      const subject = this.url(key)
      const what = `${verb} ${show(subject)}`
      const error = fromStoreError(cause, { what, subject, secrets: this.#client.secrets })
      this.#client.failed(error)
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}
