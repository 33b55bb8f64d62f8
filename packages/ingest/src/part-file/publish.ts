import { link, lstat, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

// file systems without hard links: FAT, some FUSE and network ones
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])

/** Gives the file its final name for good; an existing file of that name is an EEXIST. */
export async function publish(path: string, finalPath: string): Promise<void> {
  await moveWithoutOverwriting(path, finalPath)
  const directory = await open(dirname(finalPath), 'r')
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
    if (!NO_LINKS.has(codeOf(error))) throw error
    await assertAbsent(finalPath)
    return rename(path, finalPath)
  }
  await unlink(path)
}

async function assertAbsent(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  throw Object.assign(new Error(`EEXIST: file already exists, rename to '${path}'`), {
    code: 'EEXIST',
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
