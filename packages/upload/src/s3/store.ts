import type { S3Client } from '@aws-sdk/client-s3'
import { abortable, throwIfAborted } from '../abortable.ts'
import { UploadError, isUploadError } from '../error.ts'
import { plain, show } from '../show.ts'
import { BufferPool } from './buffer-pool.ts'
import { makeClient } from './client.ts'
import type { S3Credentials, S3Options } from './options.ts'
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
  readonly #secrets = new Set<string>()

  constructor(bucket: string, prefix: string, options: S3Options) {
    this.bucket = bucket
    this.prefix = prefix
    this.options = options
    this.partBytes = Math.max(options.partBytes ?? DEFAULT_PART_BYTES, MIN_PART_BYTES)
    this.pool = new BufferPool(options.workers ?? 2, this.partBytes)
    if (typeof options.credentials === 'object') this.#remember(options.credentials)
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
    this.#client ??= makeClient(this.#clientOptions())
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
      const error = fromStoreError(cause, {
        what: `${verb} ${show(subject)}`,
        subject,
        secrets: [...this.#secrets],
      })
      if (isStale(error)) this.#client = undefined
      throw error
    }
  }

  /** The options, with an ear on the keys that are given. */
  #clientOptions(): S3Options {
    const { credentials } = this.options
    if (typeof credentials !== 'function') return this.options
    const ask = async (): Promise<S3Credentials> => {
      try {
        return this.#remember(await credentials())
      } catch (cause) {
        const why = plain(cause instanceof Error ? cause.message : String(cause))
        const message = `Cannot get the keys of the bucket ${show(this.bucket)}: ${why}; they are asked for again`
        throw new UploadError('NO_CREDENTIALS', message, { cause })
      }
    }
    return { ...this.options, credentials: ask }
  }

  #remember(keys: S3Credentials): S3Credentials {
    for (const key of Object.values(keys)) if (isSecret(key)) this.#secrets.add(key)
    return keys
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
