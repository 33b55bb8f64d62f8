import { createHash } from 'node:crypto'
import { HeadBucketCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { throwIfAborted } from '../abortable.ts'
import { isUploadError, UploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { show } from '../text.ts'
import type { BufferPool } from './buffer-pool.ts'
import { META } from './object-params.ts'
import { partSize } from './options.ts'
import type { Store } from './store.ts'
import type { Transfer } from './transfer.ts'
import { bareEtag, etagIsMd5 } from './verify-answer.ts'

/** What a HEAD reports of an object. */
export interface ObjectInfo {
  readonly bytes: number
  readonly etag: string
  readonly metadata: Readonly<Record<string, string>>
  /** False where the store encrypts with a key of its own, so that an ETag is not computed from the content. */
  readonly etagIsMd5: boolean
}

/** What is stored under `key`; undefined when nothing is. */
async function head(
  store: Store,
  key: string,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo | undefined> {
  try {
    const command = new HeadObjectCommand({ Bucket: store.bucket, Key: key })
    const answer = await store.send('read the metadata of', key, command, { signal })
    if (!isOfStore(answer)) throw notOfStore(store.url(key))
    return {
      bytes: answer.ContentLength ?? 0,
      etag: bareEtag(answer.ETag),
      metadata: answer.Metadata ?? {},
      etagIsMd5: etagIsMd5(answer),
    }
  } catch (error) {
    if (isUploadError(error) && error.httpStatus === 404) return undefined
    // a HEAD has no body: the answer to a request that has one names what is refused
    if (isRefusal(error)) await nameRefusal(store, signal)
    throw error
  }
}

/**
 * The same before the upload, where a refusal decides nothing yet: without s3:ListBucket AWS answers 403
 * for a key that does not exist.
 */
export async function headIfAllowed(
  store: Store,
  key: string,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo | undefined | 'unknown'> {
  try {
    return await head(store, key, signal)
  } catch (error) {
    if (isRefusal(error) && error.subject === store.url(key)) return 'unknown'
    throw error
  }
}

/**
 * Read by HEAD what the store has under `key` now; rejects with `MISMATCH` unless it has our size
 * and is from our upload. The content was covered on its way by the signed SHA-256 of each request.
 */
export async function verify(
  store: Store,
  key: string,
  expected: Pick<FileSource, 'size' | 'token'>,
  etag: string,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo> {
  const found = await head(store, key, signal)
  const wrong = !found
    ? 'has no such object'
    : found.bytes !== expected.size
      ? `has ${found.bytes} of ${expected.size} bytes`
      : isForeign(found, expected.token, etag)
        ? 'has another object of that name'
        : undefined
  if (!found || wrong !== undefined) {
    const url = store.url(key)
    throw new UploadError(
      'MISMATCH',
      `The store answered that ${show(url)} was stored, but ${wrong}: the file is kept and sent again`,
      { subject: url },
    )
  }
  return found
}

/** Whether the bucket is there and takes our credentials; not being allowed to list it is no failure. */
export async function checkBucket(store: Store, signal: AbortSignal | undefined): Promise<void> {
  try {
    const command = new HeadBucketCommand({ Bucket: store.bucket })
    await store.send('read the metadata of', '', command, { signal })
  } catch (error) {
    const isRefused = isRefusal(error) || (isUploadError(error) && error.httpStatus === 404)
    if (!isRefused) throw error
    await nameRefusal(store, signal)
  }
}

/** The answer to a HEAD has no body: one to LIST contains why we are refused, and is no failure if only LIST is. */
async function nameRefusal(store: Store, signal: AbortSignal | undefined): Promise<void> {
  const Prefix = store.prefix
  const command = new ListObjectsV2Command({ Bucket: store.bucket, Prefix, MaxKeys: 1 })
  try {
    await store.send('list', Prefix, command, { signal })
  } catch (error) {
    if (!isUploadError(error) || error.storeCode?.startsWith('AccessDenied') !== true) throw error
  }
}

/** A login page answers a HEAD of any object with 200. */
function isOfStore({
  ETag,
  LastModified,
  ContentType,
  $metadata,
}: HeadObjectCommandOutput): boolean {
  if (ETag === undefined && LastModified === undefined) return false
  return $metadata.requestId !== undefined || !/html/i.test(ContentType ?? '')
}

function notOfStore(subject: string): UploadError {
  return new UploadError(
    'UNREACHABLE',
    `Cannot read the metadata of ${show(subject)}: the answer is not that of an S3 store, but of a gateway or proxy`,
    { subject },
  )
}

function isRefusal(error: unknown): error is UploadError {
  return isUploadError(error) && [400, 401, 403].includes(error.httpStatus ?? 0)
}

/** By our token; where a store drops metadata, by the ETag that it gave to our upload, if it gave one. */
function isForeign(found: ObjectInfo, token: string, etag: string): boolean {
  const theirs = found.metadata[META.token]
  if (theirs !== undefined) return theirs !== token
  return etag !== '' && found.etag !== '' && etag !== found.etag
}

/** How an object that is there already compares with the file to be sent. */
export type Comparison =
  /** The same content: nothing to send. */
  | 'identical'
  /** Made from this very file, but not whole: to be replaced. */
  | 'partial'
  /** Another content, or unknown: never touched. */
  | 'different'

/** Compare without fetching the object: by what was recorded with it, else by its ETag. */
export async function compare(
  object: ObjectInfo,
  { store: { pool, partBytes }, source, signal }: Transfer,
): Promise<Comparison> {
  const isOurs = object.metadata[META.token] === source.token
  if (object.bytes !== source.size) return isOurs ? 'partial' : 'different'
  if (isOurs) return 'identical'
  const options = { pool, signal }
  const sha256 = object.metadata[META.sha256]
  const isSame =
    sha256 === undefined
      ? object.etagIsMd5 && object.etag === (await expectedEtag(object, source, partBytes, options))
      : sha256 === (await wholeDigest(source, 'sha256', options))
  return isSame ? 'identical' : 'different'
}

/** MD5 of the file, or the MD5 of its parts' MD5s and their number, as S3 makes it. */
async function expectedEtag(
  { etag, metadata }: ObjectInfo,
  source: FileSource,
  assumedPartBytes: number,
  options: DigestOptions,
): Promise<string | undefined> {
  if (/^[0-9a-f]{32}$/.test(etag)) return wholeDigest(source, 'md5', options)
  const parts = Number(/^[0-9a-f]{32}-(\d+)$/.exec(etag)?.[1])
  const partBytes = Number(metadata[META.partBytes]) || partSize(source.size, assumedPartBytes)
  if (Math.ceil(source.size / partBytes) !== parts) return undefined
  const each = await digests(source, 'md5', partBytes, options)
  return `${createHash('md5').update(Buffer.concat(each)).digest('hex')}-${parts}`
}

interface DigestOptions {
  readonly pool: BufferPool
  readonly signal: AbortSignal | undefined
}

/** Hex digest of the whole file. */
export async function wholeDigest(
  source: FileSource,
  algorithm: 'md5' | 'sha256',
  options: DigestOptions,
): Promise<string> {
  const [whole] = await digests(source, algorithm, Math.max(source.size, 1), options)
  return whole?.toString('hex') ?? ''
}

/** Digests of a file's parts in order, at least one, read through one buffer. */
async function digests(
  source: FileSource,
  algorithm: 'md5' | 'sha256',
  partBytes: number,
  { pool, signal }: DigestOptions,
): Promise<Buffer[]> {
  using loan = await pool.take(0, signal)
  const found: Buffer[] = []
  for (let start = 0; start < source.size || found.length === 0; start += partBytes) {
    const hash = createHash(algorithm)
    const end = Math.min(start + partBytes, source.size)
    for (let at = start; at < end; at += loan.buffer.length) {
      throwIfAborted(signal)
      hash.update(await source.read(loan.buffer, Math.min(loan.buffer.length, end - at), at))
    }
    found.push(hash.digest())
  }
  return found
}
