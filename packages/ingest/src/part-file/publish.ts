import { link, lstat, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../error.ts'

// file systems without hard links: FAT, some FUSE and network ones
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])

/** Gives the file its final name, durably; throws EEXIST when a file has that name. */
export async function publish(path: string, finalPath: string): Promise<void> {
  await moveWithoutOverwriting(path, finalPath)
  await syncDirectoryOf(finalPath)
}

/** Makes the name `path` durable: fsync(2) of its directory. */
export async function syncDirectoryOf(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** link(2) refuses an existing name atomically; rename(2) replaces it, and Node has no renameat2. */
async function moveWithoutOverwriting(path: string, finalPath: string): Promise<void> {
  try {
    await link(path, finalPath)
  } catch (error) {
    if (!NO_LINKS.has(errorCode(error))) throw error
    await assertAbsent(finalPath)
    return rename(path, finalPath)
  }
  await unlink(path)
}

async function assertAbsent(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  throw Object.assign(new Error(`EEXIST: file already exists, rename to '${path}'`), {
    code: 'EEXIST',
  })
}
