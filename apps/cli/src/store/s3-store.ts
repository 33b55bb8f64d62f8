import { Readable } from 'node:stream'
import {
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { CliError } from '../error.ts'
import { storeError } from './s3-error.ts'
import type { Store, StoredObject } from './store.ts'

const FALLBACK_REGION = 'us-east-1'
const CONNECT_TIMEOUT_MS = 5000
const IDLE_TIMEOUT_MS = 60_000

export interface S3Location {
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

  async read(object: StoredObject, start: number, length: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of await this.stream(object, start, length)) {
        if (!Buffer.isBuffer(chunk)) continue
        chunks.push(chunk)
        bytes += chunk.length
        // a store that ignores the range sends the whole object
        if (bytes > length) break
      }
    } catch (error) {
      throw storeError('read', this.url + object.key, error)
    }
    if (bytes === length) return Buffer.concat(chunks)
    const message = `Cannot read ${this.url}${object.key}: the store sent ${bytes} bytes for a range of ${length}; try again`
    throw new CliError('STORE', message, { retryable: true })
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
