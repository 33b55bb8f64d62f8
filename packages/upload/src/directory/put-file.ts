import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { throwIfAborted } from '../abortable.ts'
import type { PutOptions, Stored } from '../destination.ts'
import { errnoOf, fromFileError, UploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { appendToKey } from '../key.ts'
import { show } from '../text.ts'
import { ensureDirectory, newPart, publish, writeFully, writePart } from './part-file.ts'

const BLOCK_BYTES = 1024 * 1024

type Options = Pick<PutOptions, 'signal' | 'onProgress' | 'uniqueId' | 'shared'>

/** Copy a file below `root` under `key`, or beside whatever else has that name. */
export async function putFile(
  root: string,
  source: FileSource,
  key: string,
  options: Options,
): Promise<Stored> {
  for await (const wanted of candidates(source, key, options)) {
    const target = join(root, wanted)
    const outcome = await putUnder(target, source, options)
    if (!outcome) continue
    const taken = wanted === key ? {} : { takenKey: key }
    return {
      url: pathToFileURL(target).href,
      key: wanted,
      bytes: source.size,
      outcome,
      parts: 0,
      keptParts: 0,
      ...taken,
    }
  }
  const subject = join(root, key)
  throw new UploadError(
    'OCCUPIED',
    options.shared === true
      ? `Another content has the name ${show(subject)}: it stays there`
      : `Other files have the name ${show(subject)} and the names made from it: the file is kept, rename it`,
    { subject },
  )
}

async function putUnder(
  target: string,
  source: FileSource,
  options: Options,
): Promise<Stored['outcome'] | undefined> {
  const { signal } = options
  const before = await compare(target, source, signal)
  if (before !== 'absent') return before === 'identical' ? 'existing' : undefined
  const part = newPart(target)
  await ensureDirectory(dirname(target))
  await copyFile(part, source, options)
  if (await publish(part, target)) return 'stored'
  // another process was quicker
  await rm(part, { force: true })
  return (await compare(target, source, signal)) === 'identical' ? 'existing' : undefined
}

async function compare(
  target: string,
  source: FileSource,
  signal?: AbortSignal,
): Promise<'absent' | 'identical' | 'different'> {
  let other: FileHandle
  try {
    other = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === 'ENOENT') return 'absent'
    // a symbolic link, a socket, a file of another user: in no case our content
    if (['ELOOP', 'ENXIO', 'EACCES', 'EPERM'].includes(errno)) return 'different'
    throw fromFileError('target', 'open', target, cause)
  }
  try {
    const { dev, ino } = await other.stat({ bigint: true })
    if (`${dev}:${ino}` === source.inode) throw itself(target)
    return (await hasSameContent(source, other, signal)) ? 'identical' : 'different'
  } catch (cause) {
    throw fromFileError('target', 'read', target, cause)
  } finally {
    await other.close()
  }
}

/** A file is no copy of itself: "stored" would be a reason to delete the only copy. */
function itself(target: string): UploadError {
  return new UploadError(
    'INVALID',
    `${show(target)} is the file that was to be copied there: choose another directory as destination`,
    { subject: target },
  )
}

async function* candidates(
  source: FileSource,
  key: string,
  { uniqueId, shared = false }: Options,
): AsyncGenerator<string> {
  yield key
  if (shared) return
  if (uniqueId !== undefined && uniqueId !== '') yield appendToKey(key, uniqueId)
  const hash = createHash('sha256')
  const block = blockFor(source)
  for (let at = 0; at < source.size; at += BLOCK_BYTES) {
    hash.update(await source.read(block, Math.min(BLOCK_BYTES, source.size - at), at))
  }
  yield appendToKey(key, hash.digest('hex').slice(0, 12))
}

/** Copy a file to `part` and compare the two, byte for byte. */
async function copyFile(
  part: string,
  source: FileSource,
  { signal, onProgress }: Options,
): Promise<void> {
  await writePart(part, async (target) => {
    const block = blockFor(source)
    for (let at = 0; at < source.size;) {
      throwIfAborted(signal)
      const bytes = await source.read(block, Math.min(BLOCK_BYTES, source.size - at), at)
      await writeFully(target, bytes, at)
      at += bytes.length
      onProgress?.({ bytes: at, totalBytes: source.size })
    }
    await source.assertUnchanged()
    if (!(await hasSameContent(source, target, signal))) {
      throw new UploadError(
        'MISMATCH',
        `The copy of ${show(source.path)} reads back differently: check the disk; it is copied again`,
        { subject: part },
      )
    }
  })
}

/** Memory to read a file by: no more than the file has, tens of thousands may come in a row. */
function blockFor({ size }: FileSource): Buffer {
  return Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, size))
}

/** Whether two files are equal, byte for byte. */
async function hasSameContent(
  source: FileSource,
  other: FileHandle,
  signal?: AbortSignal,
): Promise<boolean> {
  const stats = await other.stat()
  if (!stats.isFile() || stats.size !== source.size) return false
  const ours = blockFor(source)
  const theirs = blockFor(source)
  for (let at = 0; at < source.size;) {
    throwIfAborted(signal)
    const block = await source.read(ours, Math.min(BLOCK_BYTES, source.size - at), at)
    for (let done = 0; done < block.length;) {
      const { bytesRead } = await other.read(theirs, done, block.length - done, at + done)
      if (bytesRead === 0) return false
      done += bytesRead
    }
    if (!block.equals(theirs.subarray(0, block.length))) return false
    at += block.length
  }
  return true
}
