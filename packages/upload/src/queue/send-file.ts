import { lstat, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { throwIfAborted } from '../abortable.ts'
import type { Destination, Progress, Stored } from '../destination.ts'
import { errnoOf, fromFileError, isUploadError, UploadError } from '../error.ts'
import { identity, openForReading } from '../file-source.ts'
import { keyOf } from '../key.ts'
import { show } from '../text.ts'

/** End of central directory record without a comment, APPNOTE 4.3.16. */
const END_BYTES = 22
const END_SIGNATURE = 0x06054b50
/** A smaller file is no multipart upload (S3: parts of 5 MiB and more), which two processes would both begin. */
const MIN_LOCKED_BYTES = 5 * 1024 ** 2

/** `ours`: as long as the handle is open; `held`: another process writes or sends; `unavailable`: unknown. */
export type LockState = 'ours' | 'held' | 'unavailable'

/** What became of one file; failures are thrown. */
export type Outcome =
  | { readonly type: 'skipped'; readonly reason: 'locked' | 'vanished' | 'not-a-file' }
  | {
      readonly type: 'stored'
      readonly stored: Stored
      readonly bytes: number
      readonly mtimeMs: number
      readonly deleted: boolean
      /** Why the local file could not be deleted. */
      readonly cause?: unknown
    }

interface SendOptions {
  readonly signal?: AbortSignal | undefined
  readonly lock?: ((handle: FileHandle) => Promise<LockState>) | undefined
  readonly key?: ((name: string) => string) | undefined
  readonly uniqueId?: ((name: string) => string | undefined) | undefined
  readonly onStart?: (bytes: number) => void
  readonly onProgress?: (progress: Progress) => void
}

/** Send one file, and delete it once the destination has confirmed it. */
export async function sendFile(
  file: string,
  destination: Destination,
  options: SendOptions,
): Promise<Outcome> {
  try {
    return await send(file, destination, options)
  } catch (cause) {
    // no failure of one file may end the queue
    throw fromFileError('source', 'send', file, cause)
  }
}

async function send(
  file: string,
  destination: Destination,
  { signal, lock, key = keyOf, uniqueId, onStart, onProgress }: SendOptions,
): Promise<Outcome> {
  const name = basename(file)
  const handle = await open(file)
  if (!handle) return { type: 'skipped', reason: 'vanished' }
  // the lock lasts as long as the handle
  await using _ = handle
  const before = await handle.stat({ bigint: true })
  if (!before.isFile()) return { type: 'skipped', reason: 'not-a-file' }
  const needsLock =
    Number(before.size) >= MIN_LOCKED_BYTES || !(await endsAsZip(handle, Number(before.size)))
  if (lock && needsLock && (await lock(handle)) === 'held') {
    return { type: 'skipped', reason: 'locked' }
  }
  // its writer has replaced it before we had the lock: the new file is sent at the next attempt
  if (!(await isStill(file, `${before.dev}:${before.ino}`))) {
    return { type: 'skipped', reason: 'locked' }
  }
  onStart?.(Number(before.size))
  // the lock may have taken a while
  throwIfAborted(signal)
  const id = uniqueId?.(name)
  const stored = await destination.put(file, key(name), {
    handle,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
    ...(id === undefined ? {} : { uniqueId: id }),
  })
  const removed = await remove(file, `${before.dev}:${identity(before)}`)
  // another process has sent it
  if (stored.outcome === 'existing' && removed === 'absent') {
    return { type: 'skipped', reason: 'vanished' }
  }
  return {
    type: 'stored',
    stored,
    bytes: Number(before.size),
    mtimeMs: Number(before.mtimeMs),
    ...(removed === 'absent' ? { deleted: true } : removed),
  }
}

async function open(file: string): Promise<FileHandle | undefined> {
  try {
    return await openForReading(file)
  } catch (error) {
    if (!isUploadError(error) || error.code !== 'GONE') throw error
    if (!basename(file).includes('\ufffd')) return undefined
    throw new UploadError(
      'INVALID',
      `The name of ${show(file)} is not UTF-8, so that it cannot be opened nor be a key: rename it`,
      { subject: file, cause: error },
    )
  }
}

/**
 * Whether a file ends as a finished zip does: with what a writer in place adds last. To ask for a lock
 * costs a process, which for 20,000 waiting bundles is most of the work.
 */
async function endsAsZip(handle: FileHandle, bytes: number): Promise<boolean> {
  if (bytes < END_BYTES) return false
  const end = Buffer.alloc(END_BYTES)
  const { bytesRead } = await handle.read(end, 0, END_BYTES, bytes - END_BYTES)
  return (
    bytesRead === END_BYTES && end.readUInt32LE(0) === END_SIGNATURE && end.readUInt16LE(20) === 0
  )
}

async function isStill(file: string, inode: string): Promise<boolean> {
  const now = await lstat(file, { bigint: true }).catch(() => undefined)
  // deleted, it is sent anyway: it is open
  return now === undefined || `${now.dev}:${now.ino}` === inode
}

/** Unlink the file that was sent, not another one that has its name now. */
async function remove(
  file: string,
  id: string,
): Promise<'absent' | { deleted: boolean; cause?: unknown }> {
  try {
    const now = await lstat(file, { bigint: true })
    if (`${now.dev}:${identity(now)}` !== id) return { deleted: false }
    await unlink(file)
    return { deleted: true }
  } catch (cause) {
    return errnoOf(cause) === 'ENOENT' ? 'absent' : { deleted: false, cause }
  }
}
