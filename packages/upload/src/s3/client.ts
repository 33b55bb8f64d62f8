import { readFile, stat } from 'node:fs/promises'
import { getCACertificates } from 'node:tls'
import { S3Client } from '@aws-sdk/client-s3'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { StandardRetryStrategy } from '@smithy/core/retry'
import { UploadError } from '../error.ts'
import type { UploadErrorCode } from '../error.ts'
import { reasonOf, show } from '../text.ts'
import { chainedCredentials } from './credentials.ts'
import type { S3Credentials, S3Options } from './options.ts'
import { StoreHandler } from './request-handler.ts'

const FALLBACK_REGION = 'us-east-1'
const MAX_ATTEMPTS = 5
/** Keys, roles and CA files are replaced under a running agent: the next request reads them again. */
const STALE: ReadonlySet<UploadErrorCode> = new Set([
  'NO_CREDENTIALS',
  'WRONG_SECRET',
  'EXPIRED',
  'TLS',
])
/** A few letters are a word of any sentence; no store issues keys that short. */
const MIN_SECRET_CHARACTERS = 8

/** A client as long as a request uses it. */
export interface Lease extends Disposable {
  readonly client: S3Client
  /** The request has failed; some failures end the client. */
  failed(error: UploadError): void
  /** The store has named the bucket's region; returns false when that is the one we use. */
  learn(region: string): boolean
}

interface Used {
  readonly client: S3Client
  readonly region: string
  users: number
  isRetired: boolean
}

/**
 * The client of one destination: made at first use, and again after its keys, certificates or region turned
 * out wrong, or a file that holds them has changed. A replaced one is destroyed with its last request.
 */
export class ReplaceableClient {
  readonly #bucket: string
  readonly #options: S3Options
  readonly #secrets = new Set<string>()
  readonly #live = new Set<Used>()
  readonly #files: readonly string[]
  #current: Promise<Used> | undefined
  #fileState = ''
  #region: string | undefined
  #isFailing = false

  constructor(bucket: string, options: S3Options) {
    this.#bucket = bucket
    this.#options = options
    this.#region = options.region
    const { caFile, credentialFiles = [] } = options
    this.#files = [...credentialFiles, ...(caFile === undefined ? [] : [caFile])]
    if (typeof options.credentials === 'object') this.#remember(options.credentials)
  }

  /** Every key that was given so far: an answer of the store may repeat them. */
  get secrets(): readonly string[] {
    return [...this.#secrets]
  }

  /** While the destination fails each request is sent once: its owner waits between them. */
  set isFailing(value: boolean) {
    this.#isFailing = value
  }

  async take(): Promise<Lease> {
    await this.#noticeChange()
    const used = await this.#get()
    used.users++
    return {
      client: used.client,
      failed: (error) => {
        if (this.#isStale(error)) this.#retire(used)
      },
      learn: (region) => {
        if (region === used.region) return false
        this.#region = region
        this.#retire(used)
        return true
      },
      [Symbol.dispose]: () => {
        used.users--
        this.#destroyIfUnused(used)
      },
    }
  }

  /** Requests in progress fail. */
  async close(): Promise<void> {
    await this.#current?.catch(() => undefined)
    this.#current = undefined
    for (const { client } of this.#live) client.destroy()
    this.#live.clear()
  }

  async #get(): Promise<Used> {
    const making = (this.#current ??= this.#make())
    try {
      return await making
    } catch (error) {
      if (this.#current === making) this.#current = undefined
      throw error
    }
  }

  async #make(): Promise<Used> {
    const client = new S3Client(await this.#config())
    const region = await client.config.region()
    const used = { client, region, users: 0, isRetired: false }
    this.#live.add(used)
    return used
  }

  #isStale({ code, httpStatus = 0, storeCode }: UploadError): boolean {
    // a function is cheap to ask again, and a key may have been replaced because it had lost its rights
    const isRefused = [401, 403].includes(httpStatus) && storeCode !== undefined
    return STALE.has(code) || (isRefused && typeof this.#options.credentials === 'function')
  }

  #retire(used: Used): void {
    // several requests may fail with one client
    if (used.isRetired) return
    used.isRetired = true
    this.#current = undefined
    this.#destroyIfUnused(used)
  }

  #destroyIfUnused(used: Used): void {
    if (!used.isRetired || used.users > 0) return
    used.client.destroy()
    this.#live.delete(used)
  }

  async #noticeChange(): Promise<void> {
    if (this.#files.length === 0) return
    const states = await Promise.all(this.#files.map(stateOf))
    const state = states.join('\n')
    if (state === this.#fileState) return
    this.#fileState = state
    const current = await this.#current?.catch(() => undefined)
    if (current) this.#retire(current)
  }

  /** Settings that work with slow, dead and old stores. */
  async #config(): Promise<S3ClientConfig> {
    const { endpoint, pathStyle, caFile, checksum = 'required' } = this.#options
    const maxAttempts = this.#options.maxAttempts ?? MAX_ATTEMPTS
    const checksums = checksum === 'required' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED'
    return {
      forcePathStyle: pathStyle ?? endpoint !== undefined,
      maxAttempts,
      // the `adaptive` one would slow every request down after one refusal
      retryStrategy: new StandardRetryStrategy(async () => (this.#isFailing ? 1 : maxAttempts)),
      requestChecksumCalculation: checksums,
      responseChecksumValidation: checksums,
      requestHandler: new StoreHandler({
        ca: caFile === undefined ? undefined : await trusted(caFile),
        proxyEnv: this.#options.proxyEnv,
        connectTimeoutMs: this.#options.connectTimeoutMs ?? 5000,
        idleTimeoutMs: this.#options.idleTimeoutMs ?? 60_000,
        maxAttempts,
      }),
      credentials: this.#credentials(),
      region: this.#region ?? (await regionOfSdk()),
      ...(endpoint === undefined ? {} : { endpoint }),
    }
  }

  #credentials(): NonNullable<S3ClientConfig['credentials']> {
    const { credentials } = this.#options
    if (credentials === undefined) return chainedCredentials()
    // a copy: the SDK writes into what it is given
    if (typeof credentials !== 'function') return { ...credentials }
    return async () => {
      try {
        return this.#remember(await credentials())
      } catch (cause) {
        const message = `Cannot get the keys of the bucket ${show(this.#bucket)}: ${reasonOf(cause)}; they are read again at the next attempt`
        throw new UploadError('NO_CREDENTIALS', message, { cause })
      }
    }
  }

  #remember(keys: S3Credentials): S3Credentials {
    for (const key of [keys.accessKeyId, keys.secretAccessKey, keys.sessionToken ?? '']) {
      if (key.length >= MIN_SECRET_CHARACTERS) this.#secrets.add(key)
    }
    return keys
  }
}

/** The region of the environment or the profile; one is part of every signature, also where the store has none. */
async function regionOfSdk(): Promise<string> {
  const client = new S3Client({})
  try {
    return await client.config.region()
  } catch {
    return FALLBACK_REGION
  } finally {
    client.destroy()
  }
}

/** What changes with a file; a Secret is replaced by a link that leads elsewhere. */
async function stateOf(file: string): Promise<string> {
  return stat(file, { bigint: true }).then(
    ({ dev, ino, size, mtimeNs, ctimeNs }) => `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`,
    () => '',
  )
}

async function trusted(caFile: string): Promise<string[]> {
  try {
    return [...getCACertificates('default'), await readFile(caFile, 'utf8')]
  } catch (cause) {
    throw new UploadError('TLS', `Cannot read the CA file ${show(caFile)}: give a PEM file`, {
      cause,
    })
  }
}
