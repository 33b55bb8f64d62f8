import { createHash } from 'node:crypto'
import { throwIfAborted } from '../abortable.ts'
import type { FileSource } from '../file-source.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { ObjectInfo } from './head.ts'
import { META } from './object-params.ts'
import { partSize } from './part-size.ts'
import type { Transfer } from './transfer.ts'

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
