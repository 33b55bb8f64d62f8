import { isUploadError } from '../error.ts'
import type { Store } from './store.ts'
import { statusOf } from './store-error.ts'

/** `absent`: fail when the key is taken meanwhile, where the store can tell; `any`: replace what is there. */
export type Condition = 'absent' | 'any'

/** The key got an object between our look and our request. */
export class KeyTaken extends Error {
  override readonly name = 'KeyTaken'
}

/**
 * Make a request with `If-None-Match: *` when the key is to be absent; a store that does not know it
 * (501: Swift) is asked again without and not bothered any more.
 */
export async function conditionally<T>(
  store: Store,
  condition: Condition,
  request: (when: { IfNoneMatch?: '*' }) => Promise<T>,
): Promise<T> {
  if (condition === 'any' || !store.takesConditions) return request({})
  try {
    return await request({ IfNoneMatch: '*' })
  } catch (error) {
    if (statusOf(error) === 412) throw new KeyTaken('The key is taken', { cause: error })
    if (statusOf(error) !== 501 || !isUploadError(error)) throw error
    store.takesConditions = false
    return request({})
  }
}
