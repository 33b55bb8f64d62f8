import { readFile } from 'node:fs/promises'
import { getCACertificates } from 'node:tls'
import { S3Client } from '@aws-sdk/client-s3'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { UploadError } from '../error.ts'
import type { UploadErrorCode } from '../error.ts'
import { reasonOf, show } from '../text.ts'
import type { S3Credentials, S3Options } from './options.ts'
import { StoreHandler } from './request-handler.ts'

const FALLBACK_REGION = 'us-east-1'
/** Keys, roles and CA files are replaced under a running agent: the next request reads them again. */
const STALE: ReadonlySet<UploadErrorCode> = new Set([
  'NO_CREDENTIALS',
  'WRONG_SECRET',
  'EXPIRED',
  'TLS',
])
/** A few letters are a word of any sentence; no store issues keys that short. */
const MIN_SECRET_CHARACTERS = 8

/** The client of one destination: made at first use, and again after its credentials or certificates were refused. */
export class ReplaceableClient {
  readonly #bucket: string
  readonly #options: S3Options
  readonly #secrets = new Set<string>()
  #client: Promise<S3Client> | undefined

  constructor(bucket: string, options: S3Options) {
    this.#bucket = bucket
    this.#options = options
    if (typeof options.credentials === 'object') this.#remember(options.credentials)
  }

  /** Every key that was given so far: an answer of the store may repeat them. */
  get secrets(): readonly string[] {
    return [...this.#secrets]
  }

  async get(): Promise<S3Client> {
    this.#client ??= makeClient(this.#options, this.#credentials())
    try {
      return await this.#client
    } catch (error) {
      this.#client = undefined
      throw error
    }
  }

  /** A request has failed; some failures end the client. */
  failed({ code }: UploadError): void {
    if (STALE.has(code)) this.#client = undefined
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    client?.destroy()
  }

  #credentials(): S3Options['credentials'] {
    const { credentials } = this.#options
    if (typeof credentials !== 'function') {
      // a copy: the SDK writes into what it is given
      return credentials === undefined ? undefined : { ...credentials }
    }
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

/** A client with the settings that work with slow, dead and old stores. */
async function makeClient(
  options: S3Options,
  credentials: S3Options['credentials'],
): Promise<S3Client> {
  const { endpoint, checksum = 'required', maxAttempts = 5 } = options
  const checksums = checksum === 'required' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED'
  const config: S3ClientConfig = {
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    followRegionRedirects: true,
    // `adaptive` would slow every request down after one refusal
    retryMode: 'standard',
    maxAttempts,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    requestHandler: new StoreHandler({
      ca: options.caFile === undefined ? undefined : await trusted(options.caFile),
      proxyEnv: options.proxyEnv,
      connectTimeoutMs: options.connectTimeoutMs ?? 5000,
      idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
      maxAttempts,
    }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(credentials === undefined ? {} : { credentials }),
  }
  const client = new S3Client(config)
  // a region is part of every signature, also where the store has none
  const known = await client.config.region().catch(() => undefined)
  return known === undefined ? new S3Client({ ...config, region: FALLBACK_REGION }) : client
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
