import type { FileSource } from '../file-source.ts'
import { UploadError } from '../error.ts'
import { show } from '../show.ts'
import { head } from './head.ts'
import { META, type ObjectInfo } from './object-info.ts'
import type { Sending, Store } from './store.ts'

/**
 * Ask the store for what it has under `key` now; rejects with `MISMATCH` unless it is of our size
 * and from our upload. The content was covered on its way by the signed SHA-256 of each request.
 */
export async function verify(
  store: Store,
  key: string,
  expected: Pick<FileSource, 'size' | 'token'>,
  etag: string,
  sending: Sending,
): Promise<ObjectInfo> {
  const found = await head(store, key, sending)
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
      `The store said that ${show(url)} was stored, but ${wrong}: the file is kept and sent again`,
      { subject: url },
    )
  }
  return found
}

/** By our token; where a store drops metadata, by the ETag that it gave to our upload, if it gave one. */
function isForeign(found: ObjectInfo, token: string, etag: string): boolean {
  const theirs = found.metadata[META.token]
  if (theirs !== undefined) return theirs !== token
  return etag !== '' && found.etag !== '' && etag !== found.etag
}
