import { link, lstat, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf, fromFileError } from '../file-error.ts'

/** File systems without hard links, such as vfat and some network ones. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

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

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path)
  // some network file systems cannot; the file itself is synced
  await directory.sync().catch(() => {})
}
