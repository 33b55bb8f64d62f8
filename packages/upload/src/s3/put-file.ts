import { createHash } from 'node:crypto'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import type { Progress, Stored } from '../destination.ts'
import { UploadError, isUploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { hasFreedParts, lostUpload } from '../growing-state.ts'
import { appendToKey } from '../key.ts'
import { readRecord, removeRecord, type ResumeRecord } from '../resume-record.ts'
import { show } from '../text.ts'
import { compare, headIfAllowed, verify, wholeDigest } from './head.ts'
import type { Comparison, ObjectInfo } from './head.ts'
import { discardById, discardUpload } from './multipart-requests.ts'
import { META, objectParams } from './object-params.ts'
import { putMultipart } from './put-multipart.ts'
import type { Store } from './store.ts'
import { conditionally, isOf, KeyTaken, noteSent, sentBefore } from './transfer.ts'
import type { Sent, Transfer } from './transfer.ts'
import { bareEtag, confirms, etagIsMd5, unconfirmed } from './verify-answer.ts'

const HASH_DIGITS = 12
/** HEAD requests for a key before we give up finding it either free or taken. */
const MAX_HEADS = 3

export interface PutFileOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly uniqueId?: string | undefined
  readonly shared?: boolean | undefined
}

/** Store a file under `key`, or beside whatever else has that key; `key` is without the prefix. */
export async function putFile(
  store: Store,
  file: FileSource,
  key: string,
  { signal, onProgress = () => {}, uniqueId, shared = false }: PutFileOptions,
): Promise<Stored> {
  const begun = await begunUpload(store, file)
  const source = begun === undefined ? file : { ...file, token: begun.token }
  // without any the file is whole here, and can be sent again
  const freed = begun?.freed?.length === 0 ? undefined : begun?.freed
  const wanted = begun?.key.slice(store.prefix.length) ?? key
  const choice = { uniqueId, shared: shared || freed !== undefined, signal }
  for await (const candidate of candidates(store, source, wanted, choice)) {
    const target = store.prefix + candidate.key
    const transfer = {
      store,
      source,
      key: target,
      condition: 'absent',
      shared,
      signal,
      onProgress,
      ...(freed !== undefined && { freed }),
    } as const
    const done = await putUnder(transfer, candidate.byContent)
    if (!done) continue
    const { etag, ...rest } = done
    return {
      url: store.url(target),
      key: candidate.key,
      bytes: source.size,
      ...rest,
      ...(etag === '' ? {} : { etag }),
      ...(candidate.key === key ? {} : { takenKey: key }),
    }
  }
  const subject = store.url(store.prefix + key)
  throw new UploadError(
    'OCCUPIED',
    shared
      ? `Another content has the name ${show(subject)}, or one that cannot be compared: it stays there`
      : `Other objects have the name ${show(subject)} and the names made from it: the file is kept, rename it`,
    { subject },
  )
}

/**
 * The upload that began while this file was written; undefined where the file does not depend on it: then it is
 * an ordinary file. Rejects with `LOST` when a part of the file is only in an upload that it cannot be completed by.
 */
async function begunUpload(store: Store, source: FileSource): Promise<ResumeRecord | undefined> {
  const record = await readRecord(source.path)
  if (record?.unfinished === undefined) return undefined
  const isOurs = isOf(record, { store }) && record.key.startsWith(store.prefix)
  if (record.sealed === source.token && isOurs) return record
  if (!hasFreedParts(source, record)) return undefined
  if (!isOurs) throw lostUpload(source, `is of another destination, ${record.store}`)
  const why =
    record.sealed === undefined ? 'was not noted as finished' : 'is of another state of it'
  throw lostUpload(source, why)
}

interface Candidate {
  readonly key: string
  /** The key holds the hash of the content, so that an object of this size can be no other. */
  readonly byContent: boolean
}

async function* candidates(
  store: Store,
  source: FileSource,
  key: string,
  { uniqueId, shared, signal }: Pick<PutFileOptions, 'uniqueId' | 'shared' | 'signal'>,
): AsyncGenerator<Candidate> {
  yield { key, byContent: false }
  if (shared === true) return
  if (uniqueId !== undefined && uniqueId !== '') {
    yield { key: appendToKey(key, uniqueId), byContent: false }
  }
  const hash = await wholeDigest(source, 'sha256', { pool: store.pool, signal })
  yield { key: appendToKey(key, hash.slice(0, HASH_DIGITS)), byContent: true }
}

/** Store a file under this very key; undefined when another content has it. */
async function putUnder(
  transfer: Transfer,
  byContent: boolean,
): Promise<(Sent & Pick<Stored, 'outcome'>) | undefined> {
  const { store, source, key, signal } = transfer
  let unused: string | undefined
  for (let heads = 1; heads <= MAX_HEADS; heads++) {
    const found = store.isReadable ? await headIfAllowed(store, key, signal) : 'unknown'
    const comparison = await compareFound(transfer, found, byContent)
    const isTaken = comparison === 'different' || comparison === 'identical'
    if (comparison === 'different' && transfer.freed !== undefined) {
      throw lostUpload(source, 'has a name that another content has now')
    }
    if (isTaken && unused !== undefined) await discardById(transfer, unused)
    if (comparison === 'different') return undefined
    if (comparison === 'identical') {
      await discardUpload(store, source.path, signal)
      // after the first HEAD the object is what we have just sent, and its answer was lost
      const outcome = heads === 1 ? 'existing' : 'stored'
      const etag = typeof found === 'object' ? found.etag : ''
      return { outcome, parts: 0, keptParts: 0, etag }
    }
    // refused as taken, yet not there: the store means something else by the condition
    const replaces = comparison === 'partial' || (heads > 1 && found === undefined)
    try {
      const condition = replaces ? 'any' : 'absent'
      const sent = await send({ ...transfer, condition }, found !== 'unknown')
      return { outcome: 'stored', ...sent }
    } catch (error) {
      if (!(error instanceof KeyTaken)) throw error
      unused = error.uploadId
      if (found !== 'unknown') continue
      if (!store.verifiesByAnswer) {
        await noteSent(transfer, false)
        throw notAllowedToCompare(store.url(key), error)
      }
      if (unused !== undefined) await discardById(transfer, unused)
      if (!byContent) return undefined
      // no other content makes this name
      return { outcome: 'existing', parts: 0, keptParts: 0, etag: '' }
    }
  }
  throw new UploadError('STORE', `The store cannot decide whether ${show(store.url(key))} exists`)
}

async function compareFound(
  transfer: Transfer,
  found: ObjectInfo | undefined | 'unknown',
  byContent: boolean,
): Promise<Comparison | undefined> {
  if (found === undefined) return undefined
  const { store, source, key, signal } = transfer
  if (found === 'unknown') {
    store.isReadable = !store.verifiesByAnswer
    const earlier = await sentBefore(transfer)
    if (store.verifiesByAnswer) return earlier === 'confirmed' ? 'identical' : undefined
    if (earlier === undefined) return undefined
    // gigabytes are not sent again to learn the same
    await verify(store, key, source, '', signal)
    return 'identical'
  }
  return byContent && found.bytes === source.size ? 'identical' : compare(found, transfer)
}

async function send(transfer: Transfer, isReadable: boolean): Promise<Sent> {
  const { store, source, signal, onProgress } = transfer
  if (source.size > store.partBytes || transfer.freed) return putMultipart(transfer)
  // an upload in parts from a run with smaller parts
  await discardUpload(store, source.path, signal)
  const sent = await putSmall(transfer, isReadable)
  const etag = store.verifiesByAnswer ? sent : await verifySmall(transfer, sent, isReadable)
  onProgress({ bytes: source.size, totalBytes: source.size })
  return { etag, parts: 0, keptParts: 0 }
}

async function verifySmall(transfer: Transfer, sent: string, isReadable: boolean): Promise<string> {
  const { store, source, key, signal } = transfer
  try {
    const { etag } = await verify(store, key, source, sent, signal)
    if (!isReadable) await removeRecord(source.path)
    return etag
  } catch (error) {
    if (isUploadError(error) && !error.resumable) await removeRecord(source.path)
    throw error
  }
}

/** Store a file that fits in one buffer; resolves with the ETag. */
async function putSmall(transfer: Transfer, isReadable: boolean): Promise<string> {
  const { store, source, key: Key, signal } = transfer
  using loan = await store.pool.take(source.size, signal)
  const body = await source.read(loan.buffer, source.size, 0)
  await source.assertUnchanged()
  const params = {
    Bucket: store.bucket,
    Key,
    // a Buffer: its SHA-256 is signed, and the store checks it
    Body: body,
    ContentLength: body.length,
    Metadata: {
      [META.token]: source.token,
      [META.sha256]: createHash('sha256').update(body).digest('hex'),
    },
    ...objectParams(Key, store.options),
  }
  const answer = await conditionally(transfer, (when) =>
    store.send('store', Key, new PutObjectCommand({ ...params, ...when }), { signal }),
  )
  if (store.verifiesByAnswer || !isReadable) {
    const confirmed = confirms(answer, body, etagIsMd5(answer))
    if (store.verifiesByAnswer && !confirmed) throw unconfirmed(store.url(Key))
    if (!store.verifiesByAnswer) await noteSent(transfer, confirmed)
  }
  return bareEtag(answer.ETag)
}

function notAllowedToCompare(subject: string, cause: unknown): UploadError {
  return new UploadError(
    'DENIED',
    `${show(subject)} exists, and we are not allowed to compare it: allow s3:GetObject on the objects, or set the verification to \`response\``,
    { subject, cause },
  )
}
