import { chmod, copyFile, type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Installs a copy of `source` at `path` by rename, after `change` has changed the copy: processes
 * that run or read the old file keep it, and no reader ever sees half of the new one. For files too
 * large for memory.
 */
export async function installFile(
  source: string,
  path: string,
  mode: number,
  change: (copy: FileHandle) => void = () => undefined,
): Promise<void> {
  const unfinished = `${path}.new`
  try {
    await rm(unfinished, { force: true })
    await copySynced(source, unfinished, mode, change)
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

/** Copies a file, changes the copy and syncs it to the disk. */
export async function copySynced(
  source: string,
  target: string,
  mode: number,
  change: (copy: FileHandle) => void = () => undefined,
): Promise<void> {
  await copyFile(source, target)
  await chmod(target, mode)
  await using copy = await open(target, 'r+')
  change(copy)
  await copy.sync()
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r')
  await directory.sync()
}
