import type { Progress, Stored } from '../destination.ts'
import { UploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { readRecord } from '../resume-record.ts'
import { show } from '../show.ts'
import { type Condition, KeyTaken } from './condition.ts'
import { type CompletedUpload, isDead, putMultipart } from './put-multipart.ts'
import { likeness, type Likeness } from './same-object.ts'
import { headIfAllowed } from './head.ts'
import { discardUpload } from './multipart-upload.ts'
import type { ObjectInfo } from './object-info.ts'
import { putSmall } from './put-small.ts'
import type { Sending, Store } from './store.ts'
import { verify } from './verify.ts'

/** Looks at a key before we give up finding it either free or taken. */
const MAX_LOOKS = 3

export interface Target {
  /** With the destination's prefix. */
  readonly key: string
  readonly byContent: boolean
}

export type Put = Pick<Stored, 'outcome' | 'parts' | 'keptParts'> & { readonly etag: string }

/** Store a file under this very key; undefined when another content has it. */
export async function putUnder(
  store: Store,
  source: FileSource,
  target: Target,
  sending: Sending,
  onProgress?: (progress: Progress) => void,
): Promise<Put | undefined> {
  const { key } = target
  for (let look = 1; look <= MAX_LOOKS; look++) {
    const found = await headIfAllowed(store, key, sending)
    const like = await compare(store, source, target, found, sending)
    if (like === 'other') return undefined
    if (like === 'same' && typeof found === 'object') {
      await discardUpload(store, source.path, sending)
      // after a first look it is what we have just sent, and whose answer was lost
      const outcome = look === 1 ? 'existing' : 'stored'
      return { outcome, parts: 0, keptParts: 0, etag: found.etag }
    }
    // refused as taken, yet not there: the store means something else by the condition
    const condition = like === 'ours' || (look > 1 && found === undefined) ? 'any' : 'absent'
    try {
      return await transfer(store, source, key, condition, sending, onProgress)
    } catch (error) {
      if (!(error instanceof KeyTaken)) throw error
      if (found === 'unknown') throw unseen(store.url(key), error)
    }
  }
  throw new UploadError('STORE', `The store cannot decide whether ${show(store.url(key))} exists`)
}

async function compare(
  store: Store,
  source: FileSource,
  { key, byContent }: Target,
  found: ObjectInfo | undefined | 'unknown',
  sending: Sending,
): Promise<Likeness | undefined> {
  if (found === undefined) return undefined
  if (found === 'unknown') {
    // sent by an earlier run that was not allowed to verify: do not send gigabytes again to learn the same
    const record = await readRecord(source.path)
    const sent = record?.completed === true && record.token === source.token && record.key === key
    if (sent) await verify(store, key, source, '', sending)
    return sent ? 'same' : undefined
  }
  if (byContent && found.bytes === source.size) return 'same'
  const { pool, partBytes } = store
  return likeness(found, source, { pool, partBytes, signal: sending.signal })
}

async function transfer(
  store: Store,
  source: FileSource,
  key: string,
  condition: Condition,
  sending: Sending,
  onProgress?: (progress: Progress) => void,
): Promise<Put> {
  const small = source.size <= store.partBytes
  try {
    const sent: CompletedUpload = small
      ? { etag: await putSmall(store, source, key, condition, sending), parts: 0, keptParts: 0 }
      : await putMultipart(store, source, key, condition, sending, onProgress)
    const stored = await verify(store, key, source, sent.etag, sending)
    if (small) onProgress?.({ bytes: source.size, totalBytes: source.size })
    return { outcome: 'stored', ...sent, etag: stored.etag }
  } catch (error) {
    // parts that can never become our object are freed; all others wait for the next try
    if (!small && isDead(error)) await discardUpload(store, source.path, sending)
    throw error
  }
}

function unseen(subject: string, cause: unknown): UploadError {
  return new UploadError(
    'DENIED',
    `${show(subject)} exists, and we may not look whether it is the same: allow s3:GetObject on the objects`,
    { subject, cause },
  )
}
