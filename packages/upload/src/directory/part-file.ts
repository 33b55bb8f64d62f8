import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf, fromFileError } from '../error.ts'
import { appendToKey } from '../key.ts'

const SUFFIX = '.upload-part'
const OURS = /^\..*-[0-9a-f]{16}\.upload-part$/s
const STALE_MS = 3_600_000
const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** File systems without hard links, such as vfat and some network ones. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** `/dir/.x-<random>.upload-part` for `/dir/x.zip`: hidden, beside the target, never longer than a name can be. */
export function newPart(target: string): string {
  const stem = basename(target).replace(/\.[^.]*$/, '')
  return join(dirname(target), appendToKey(`.${stem}${SUFFIX}`, randomBytes(8).toString('hex')))
}

/** Create `part`, fill it and sync it to the disk; on any failure no unfinished file is left. */
export async function writePart(
  part: string,
  fill: (target: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    await using target = await open(part, FLAGS, 0o600)
    await fill(target)
    await target.sync()
  } catch (cause) {
    await rm(part, { force: true }).catch(() => {})
    throw fromFileError('target', 'write', part, cause)
  }
}

/** Write all of `bytes`: `write(2)` may take fewer than it was given. */
export async function writeFully(
  target: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await target.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/** Give a finished part its name unless that is taken; false then. */
export async function publish(part: string, target: string): Promise<boolean> {
  try {
    await linkOrRename(part, target)
    await rm(part, { force: true })
    await syncDirectory(dirname(target))
    return true
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return false
    await rm(part, { force: true }).catch(() => {})
    throw fromFileError('target', 'publish', target, cause)
  }
}

async function linkOrRename(part: string, target: string): Promise<void> {
  try {
    // link(2), unlike rename(2), never replaces what is there
    await link(part, target)
  } catch (cause) {
    if (!NO_LINKS.has(errnoOf(cause))) throw cause
    const there = await lstat(target).then(
      () => true,
      () => false,
    )
    if (there) throw Object.assign(new Error('exists', { cause }), { code: 'EEXIST' })
    await rename(part, target)
  }
}

/** Remove what killed runs have left; a part that was written to within the hour may be in use. */
export async function removeStaleParts(directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter((each) => OURS.test(each))) {
    const path = join(directory, name)
    const stats = await lstat(path).catch(() => undefined)
    if (stats && Date.now() - stats.mtimeMs > STALE_MS) await rm(path, { force: true })
  }
}

/** Make a directory for this user alone, and its missing parents, so that they survive a power cut. */
export async function ensureDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(path)
  } catch (cause) {
    throw fromFileError('target', 'make the directory', path, cause)
  }
}

/** Node's recursive mkdir never returns where mkdir(2) answers ENOENT, as it does below /proc. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT' || path === dirname(path)) throw cause
    await makeDirectory(dirname(path))
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
    await syncDirectory(dirname(path))
  } catch (cause) {
    // it exists already, or another process was quicker
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory() !== true) throw cause
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path)
  // some network file systems cannot; the file itself is synced
  await directory.sync().catch(() => {})
}
