import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes `path` and what is missing above it, 0700. Node's own recursive way never ends where
 * mkdir(2) itself answers ENOENT, as it does below /proc: a bad path would hold its caller for ever.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && path !== dirname(path)
    if (isMissing) {
      await makeDirectory(dirname(path))
      await mkdir(path, { mode: 0o700 }).catch(async (again: unknown) => orIsThere(path, again))
    } else await orIsThere(path, error)
  }
}

/** It is there already, or somebody else was quicker. */
async function orIsThere(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() !== true) throw error
}
