import type { Progress, Stored } from '../destination.ts'
import { isUploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import type { Store } from './store.ts'

/** One file on its way to one key of a bucket. */
export interface Transfer {
  readonly store: Store
  readonly source: FileSource
  /** With the destination's prefix. */
  readonly key: string
  /** `absent`: fail with {@link KeyTaken} when the key has an object; `any`: replace the object. */
  readonly condition: 'absent' | 'any'
  readonly signal: AbortSignal | undefined
  readonly onProgress: (progress: Progress) => void
}

/** What a transfer has sent and the store has confirmed. */
export type Sent = Pick<Stored, 'parts' | 'keptParts'> & { readonly etag: string }

/** The key got an object between our HEAD and our request. */
export class KeyTaken extends Error {
  override readonly name = 'KeyTaken'
}

/**
 * Make a request with `If-None-Match: *` when the key has to be absent; a store that does not know the
 * header (501: Swift) gets this and all later requests without it.
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
    if (error.httpStatus !== 501) throw error
    store.takesConditions = false
    return request({})
  }
}
