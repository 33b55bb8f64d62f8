import type { Progress, Stored } from '../destination.ts'
import { isUploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import type { FreedPart } from '../resume-record.ts'
import type { Store } from './store.ts'

/** One file on its way to one key of a bucket. */
export interface Transfer {
  readonly store: Store
  readonly source: FileSource
  /** With the destination's prefix. */
  readonly key: string
  /** `absent`: fail with {@link KeyTaken} when the key has an object; `any`: replace the object. */
  readonly condition: 'absent' | 'any'
  /** Other writers store the same content under the key: their uploads in progress are not left-overs. */
  readonly shared: boolean
  /** Parts from the second on that only the store has: the file can be sent by no other upload. */
  readonly freed?: readonly FreedPart[]
  /** Name of the file while it is still written. */
  readonly unfinished?: string
  readonly signal: AbortSignal | undefined
  readonly onProgress: (progress: Progress) => void
}

/** What a transfer has sent and the store has confirmed. */
export type Sent = Pick<Stored, 'parts' | 'keptParts'> & { readonly etag: string }

/** The key got an object between our HEAD and our request. */
export class KeyTaken extends Error {
  override readonly name = 'KeyTaken'
  /** The multipart upload that could not be completed. */
  uploadId: string | undefined
}

/** How stores refuse a header that they do not know; Swift answers 501, others 400. */
const UNKNOWN_HEADER: ReadonlySet<number | undefined> = new Set([400, 405, 501])

/**
 * Make a request with `If-None-Match: *` when the key has to be absent. A store that refuses it and takes the
 * same request without gets this and all later ones without it.
 */
export async function conditionally<T>(
  { store, condition }: Transfer,
  request: (when: { IfNoneMatch?: '*' }) => Promise<T>,
): Promise<T> {
  if (condition === 'any' || !store.takesConditions) return request({})
  try {
    return await request({ IfNoneMatch: '*' })
  } catch (error) {
    if (!isUploadError(error)) throw error
    if (error.httpStatus === 412) throw new KeyTaken('The key is taken', { cause: error })
    if (error.code !== 'REFUSED' || !UNKNOWN_HEADER.has(error.httpStatus)) throw error
    const answer = await request({})
    store.takesConditions = false
    return answer
  }
}
