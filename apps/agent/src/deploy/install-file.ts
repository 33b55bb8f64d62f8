import { copyFile, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Put a copy of `source` at `path` by rename: who runs or reads the old file keeps it, and
 * no reader ever sees half of the new one. For files too large for memory.
 */
export async function installFile(source: string, path: string, mode: number): Promise<void> {
  const fresh = `${path}.new`
  try {
    await rm(fresh, { force: true })
    await copyFile(source, fresh)
    const handle = await open(fresh, 'r')
    try {
      await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
