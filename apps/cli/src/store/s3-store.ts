import { Readable } from 'node:stream'
import {
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { CliError, messageOf } from '../error.ts'
import type { Store, StoredObject } from './store.ts'
import { escapeName, show } from '../output/output.ts'

const FALLBACK_REGION = 'us-east-1'
const CONNECT_TIMEOUT_MS = 5000
const IDLE_TIMEOUT_MS = 60_000
const CREDENTIALS =
  'set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in as for the aws command'
const ENDPOINT = 'check --endpoint, AWS_ENDPOINT_URL and the network'
const AGAIN = 'try again'

/** What to do, by the name or code of the SDK's error. */
const ADVICE: Readonly<Record<string, string>> = {
  CredentialsProviderError: CREDENTIALS,
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  ExpiredToken: 'sign in again: the credentials have expired',
  AccessDenied: 'ask for s3:ListBucket and s3:GetObject on this bucket',
  Forbidden: 'ask for s3:ListBucket and s3:GetObject on this bucket',
  NoSuchBucket: 'check the name of the bucket and --endpoint',
  PermanentRedirect: 'set --region to the region of the bucket',
  AuthorizationHeaderMalformed: 'set --region to the region of the bucket',
  RequestTimeTooSkewed: 'set the clock of this machine',
  PreconditionFailed: 'list again: the object was replaced meanwhile',
  NoSuchKey: 'list again: the object was deleted meanwhile',
  ENOTFOUND: ENDPOINT,
  ECONNREFUSED: ENDPOINT,
  TimeoutError: ENDPOINT,
}

interface S3Location {
  readonly bucket: string
  /** Empty, or with a `/` at its end. */
  readonly prefix: string
  /** @default AWS */
  readonly endpoint?: string
  /** @default the SDK's, else us-east-1 */
  readonly region?: string
}

/** A bucket; credentials and what else is not given are the AWS SDK's. */
export class S3Store implements Store {
  readonly url: string
  readonly #location: S3Location
  #client: Promise<S3Client> | undefined

  constructor(location: S3Location) {
    this.#location = location
    this.url = `s3://${location.bucket}/${location.prefix}`
  }

  async *list(): AsyncGenerator<StoredObject> {
    const { bucket: Bucket, prefix: Prefix } = this.#location
    try {
      const client = await this.#connect()
      for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
        for (const { Key, Size, LastModified, ETag } of page.Contents ?? []) {
          if (Key === undefined || !Key.startsWith(Prefix)) continue
          yield {
            key: Key.slice(Prefix.length),
            bytes: Size ?? 0,
            modified: LastModified ?? new Date(0),
            ...(ETag !== undefined && { etag: ETag }),
          }
        }
      }
    } catch (error) {
      throw storeError('list', this.url, error)
    }
  }

  async find(key: string): Promise<StoredObject | undefined> {
    try {
      const client = await this.#connect()
      const { ContentLength, LastModified, ETag } = await client.send(
        new HeadObjectCommand(this.#name(key)),
      )
      return {
        key,
        bytes: ContentLength ?? 0,
        modified: LastModified ?? new Date(0),
        ...(ETag !== undefined && { etag: ETag }),
      }
    } catch (error) {
      if (error instanceof Error && (error.name === 'NotFound' || error.name === 'NoSuchKey')) {
        return undefined
      }
      throw storeError('find', this.url + key, error)
    }
  }

  async stream({ key, etag }: StoredObject, start: number, length: number): Promise<Readable> {
    try {
      const client = await this.#connect()
      const { Body } = await client.send(
        new GetObjectCommand({
          ...this.#name(key),
          Range: `bytes=${start}-${start + length - 1}`,
          ...(etag !== undefined && { IfMatch: etag }),
        }),
      )
      if (!(Body instanceof Readable)) throw new Error('the answer has no body')
      return Body
    } catch (error) {
      throw storeError('read', this.url + key, error)
    }
  }

  close(): void {
    void this.#client?.then(
      (client) => client.destroy(),
      () => {},
    )
  }

  #name(key: string): { Bucket: string; Key: string } {
    const { bucket, prefix } = this.#location
    return { Bucket: bucket, Key: prefix + key }
  }

  #connect(): Promise<S3Client> {
    this.#client ??= createClient(this.#location)
    return this.#client
  }
}

async function createClient({ endpoint, region }: S3Location): Promise<S3Client> {
  const config: S3ClientConfig = {
    // stores of one's own mostly have no host name for each bucket
    forcePathStyle: endpoint !== undefined,
    followRegionRedirects: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
  }
  const client = new S3Client(config)
  // a region is part of every signature, also where the store has none
  const known = await client.config.region().catch(() => undefined)
  return known === undefined ? new S3Client({ ...config, region: FALLBACK_REGION }) : client
}

/** An error of the SDK as what was attempted, on what, why it failed and what to do. */
function storeError(what: string, url: string, cause: unknown): CliError {
  if (cause instanceof CliError) return cause
  const code = reasonsOf(cause).find((name) => name in ADVICE)
  const name = cause instanceof Error && cause.name !== 'Error' ? `${cause.name}: ` : ''
  // a store may answer with anything
  const reason = escapeName(`${name}${messageOf(cause)}`).slice(0, 400)
  const advice = ADVICE[code ?? ''] ?? AGAIN
  const retryable = advice === ENDPOINT || advice === AGAIN
  const message = `Cannot ${what} ${show(url)}: ${reason}; ${advice}`
  return new CliError(code === 'NoSuchKey' ? 'NOT_FOUND' : 'STORE', message, { cause, retryable })
}

function reasonsOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const code = 'code' in error && typeof error.code === 'string' ? [error.code] : []
  const nested = error instanceof AggregateError ? error.errors : [error.cause]
  return [error.name, ...code, ...nested.flatMap(reasonsOf)]
}
