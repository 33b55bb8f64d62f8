import type { S3Client } from '@aws-sdk/client-s3'
import { abortable, throwIfAborted } from '../abortable.ts'
import { isUploadError } from '../error.ts'
import type { UploadError } from '../error.ts'
import { show } from '../show.ts'
import { BufferPool } from './buffer-pool.ts'
import { makeClient } from './client.ts'
import type { S3Options } from './options.ts'
import { MIN_PART_BYTES } from './part-size.ts'
import { fromStoreError } from './store-error.ts'

const DEFAULT_PART_BYTES = 8 * 1024 * 1024
const REQUEST_TIMEOUT_MS = 600_000

/** How one request is made. */
export interface Sending {
  readonly signal?: AbortSignal | undefined
  /** Limit of each attempt, answer included. */
  readonly timeoutMs?: number
}

interface SendOptions {
  abortSignal?: AbortSignal
  requestTimeout?: number
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
  #client: Promise<S3Client> | undefined

  constructor(bucket: string, prefix: string, options: S3Options) {
    this.bucket = bucket
    this.prefix = prefix
    this.options = options
    this.partBytes = Math.max(options.partBytes ?? DEFAULT_PART_BYTES, MIN_PART_BYTES)
    this.pool = new BufferPool(options.workers ?? 2, this.partBytes)
  }

  /** Bucket and where it is, as a resume record names them. */
  get id(): string {
    return `${this.options.endpoint ?? 'aws'} ${this.bucket}`
  }

  /** `s3://bucket/key`, the key with the destination's prefix. */
  url(key: string): string {
    return `s3://${this.bucket}/${key}`
  }

  /** The client, made at first use and anew after its credentials or certificates were refused. */
  async client(): Promise<S3Client> {
    this.#client ??= makeClient(this.options)
    try {
      return await this.#client
    } catch (error) {
      this.#client = undefined
      throw error
    }
  }

  /** Make a request; `verb` and `key` tell the reader of an error what it was for. */
  async send<T>(
    verb: string,
    key: string,
    request: (client: S3Client, options: SendOptions) => Promise<T>,
    { signal, timeoutMs = REQUEST_TIMEOUT_MS }: Sending = {},
  ): Promise<T> {
    throwIfAborted(signal)
    try {
      const client = await this.client()
      const options = { requestTimeout: timeoutMs, ...(signal ? { abortSignal: signal } : {}) }
      return await abortable(request(client, options), signal)
    } catch (cause) {
      // the signal may have ended a connection that reports itself as broken
      throwIfAborted(signal)
      const subject = this.url(key)
      const secrets = Object.values(this.options.credentials ?? {}).filter(isSecret)
      const error = fromStoreError(cause, {
        what: `${verb} ${show(subject)}`,
        subject,
        secrets,
      })
      if (isStale(error)) this.#client = undefined
      throw error
    }
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    client?.destroy()
  }
}

/** Keys, roles and CA files are replaced under a running agent: the next request asks for them again. */
function isStale(error: UploadError): boolean {
  return (
    isUploadError(error) &&
    ['NO_CREDENTIALS', 'WRONG_SECRET', 'EXPIRED', 'TLS'].includes(error.code)
  )
}

/** A few letters are a word of any sentence; no store issues keys that short. */
function isSecret(key: string | undefined): key is string {
  return key !== undefined && key.length >= 8
}
