import type { Progress, Stored } from '../destination.ts'
import { UploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { appendToKey } from '../key.ts'
import { removeRecord } from '../resume-record.ts'
import { show } from '../show.ts'
import { wholeDigest } from './digest.ts'
import { putUnder } from './put-under.ts'
import type { Sending, Store } from './store.ts'

const HASH_DIGITS = 12

export interface PutFileOptions extends Sending {
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly uniqueId?: string | undefined
}

/** Store a file under `key`, or beside whatever else has that key; `key` is without the prefix. */
export async function putFile(
  store: Store,
  source: FileSource,
  key: string,
  { signal, onProgress, uniqueId }: PutFileOptions,
): Promise<Stored> {
  const sending = { signal }
  for await (const { wanted, byContent } of candidates(store, source, key, uniqueId, sending)) {
    const target = { key: store.prefix + wanted, byContent }
    const done = await putUnder(store, source, target, sending, onProgress)
    if (!done) continue
    await removeRecord(source.path)
    const { etag, ...rest } = done
    return {
      url: store.url(target.key),
      key: wanted,
      bytes: source.size,
      ...rest,
      ...(etag === '' ? {} : { etag }),
      ...(wanted === key ? {} : { takenKey: key }),
    }
  }
  const subject = store.url(store.prefix + key)
  throw new UploadError(
    'OCCUPIED',
    `Other objects have the name ${show(subject)} and the names made from it: the file is kept, rename it`,
    { subject },
  )
}

interface Candidate {
  readonly wanted: string
  /** The key holds the hash of the content, so that an object of this size can be no other. */
  readonly byContent: boolean
}

async function* candidates(
  store: Store,
  source: FileSource,
  key: string,
  uniqueId: string | undefined,
  { signal }: Sending,
): AsyncGenerator<Candidate> {
  yield { wanted: key, byContent: false }
  if (uniqueId !== undefined && uniqueId !== '') {
    yield { wanted: appendToKey(key, uniqueId), byContent: false }
  }
  const hash = await wholeDigest(source, 'sha256', { pool: store.pool, signal })
  yield { wanted: appendToKey(key, hash.slice(0, HASH_DIGITS)), byContent: true }
}
