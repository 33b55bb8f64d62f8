import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3'
import { abortable, throwIfAborted } from '../abortable.ts'
import type { UploadError } from '../error.ts'
import { show } from '../text.ts'
import { BufferPool } from './buffer-pool.ts'
import { ReplaceableClient } from './client.ts'
import type { S3Options } from './options.ts'
import { MIN_PART_BYTES } from './options.ts'
import { fromStoreError, regionOf } from './store-error.ts'

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
  /** Until the store refuses `If-None-Match`. */
  takesConditions = true
  /** Until it refuses ListMultipartUploads. */
  listsUploads = true
  /** Until it refuses a HEAD, if objects are verified without. */
  isReadable = true
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
    return storeId(`${this.options.endpoint ?? 'aws'} ${this.bucket}`)
  }

  get verifiesByAnswer(): boolean {
    return this.options.verify === 'response'
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
    // again, if the answer names the bucket's region
    return this.#use(verb, key, (client) => client.send(command, options), signal, 2)
  }

  /** Work with the client, once: it may consume a stream. Whatever it throws becomes an `UploadError`. */
  async use<T>(
    verb: string,
    key: string,
    work: (client: S3Client) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return this.#use(verb, key, work, signal, 1)
  }

  async #use<T>(
    verb: string,
    key: string,
    work: (client: S3Client) => Promise<T>,
    signal: AbortSignal | undefined,
    attempts: number,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(signal)
      try {
        using lease = await this.#client.take()
        throwIfAborted(signal)
        try {
          const result = await abortable(work(lease.client), signal)
          this.#client.isFailing = false
          return result
        } catch (cause) {
          // the signal may have ended a connection that reports itself as broken
          throwIfAborted(signal)
          const error = this.#error(verb, key, cause)
          lease.failed(error)
          const region = regionOf(cause)
          const isMoved = region !== undefined && lease.learn(region)
          if (!isMoved || attempt >= attempts) throw error
        }
      } catch (cause) {
        throwIfAborted(signal)
        const error = this.#error(verb, key, cause)
        this.#client.isFailing = error.scope === 'destination'
        throw error
      }
    }
  }

  #error(verb: string, key: string, cause: unknown): UploadError {
    const subject = this.url(key)
    const what = `${verb} ${show(subject)}`
    return fromStoreError(cause, { what, subject, secrets: this.#client.secrets })
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}

/** The same for every spelling of an endpoint: without scheme, default port and the slash at its end. */
export function storeId(text: string): string {
  const [endpoint = '', bucket = ''] = text.split(' ')
  // `store.example:9000`, as this function returns it, would be a URL with the scheme `store.example`
  if (!/^https?:\/\//i.test(endpoint) || !URL.canParse(endpoint)) return text
  const { host, pathname } = new URL(endpoint)
  const isAws = /^s3([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?$/.test(host)
  return `${isAws ? 'aws' : host}${pathname.replace(/\/+$/, '')} ${bucket}`
}
