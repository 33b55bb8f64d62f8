import { createHash } from 'node:crypto'
import type { FileSource } from '../file-source.ts'
import type { BufferPool } from './buffer-pool.ts'
import { digests, wholeDigest } from './digest.ts'
import { META, type ObjectInfo } from './object-info.ts'
import { partSize } from './part-size.ts'

/** How an object that is there already relates to the file that we want to send. */
export type Likeness =
  /** The same content: nothing to send. */
  | 'same'
  /** Made from this very file, but not whole: to be replaced. */
  | 'ours'
  /** Another content, or not to be told: never touched. */
  | 'other'

export interface LikenessOptions {
  readonly pool: BufferPool
  /** Part size that a multipart object without metadata of ours is assumed to have. */
  readonly partBytes: number
  readonly signal?: AbortSignal | undefined
}

/** Compare without fetching the object: by what was recorded with it, else by its ETag. */
export async function likeness(
  object: ObjectInfo,
  source: FileSource,
  options: LikenessOptions,
): Promise<Likeness> {
  const ours = object.metadata[META.token] === source.token
  if (object.bytes !== source.size) return ours ? 'ours' : 'other'
  if (ours) return 'same'
  const { pool, signal } = options
  const sha256 = object.metadata[META.sha256]
  if (sha256 !== undefined) {
    return sha256 === (await wholeDigest(source, 'sha256', { pool, signal })) ? 'same' : 'other'
  }
  return object.etagIsMd5 && object.etag === (await expectedEtag(object, source, options))
    ? 'same'
    : 'other'
}

/** MD5 of the file, or the MD5 of its parts' MD5s and their number, as S3 makes it. */
async function expectedEtag(
  { etag, metadata }: ObjectInfo,
  source: FileSource,
  { pool, partBytes, signal }: LikenessOptions,
): Promise<string | undefined> {
  if (/^[0-9a-f]{32}$/.test(etag)) return wholeDigest(source, 'md5', { pool, signal })
  const parts = Number(/^[0-9a-f]{32}-(\d+)$/.exec(etag)?.[1])
  const bytes = Number(metadata[META.partBytes]) || partSize(source.size, partBytes)
  if (Math.ceil(source.size / bytes) !== parts) return undefined
  const each = await digests(source, 'md5', { pool, signal, partBytes: bytes })
  return `${createHash('md5').update(Buffer.concat(each)).digest('hex')}-${parts}`
}
