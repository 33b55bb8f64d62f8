import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../error.ts'

/**
 * Makes `path` and what is missing above it, 0700. Node's own recursive mkdir never returns where
 * mkdir(2) itself answers ENOENT, as it does below /proc: a bad setting would hang the agent.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && path !== dirname(path)) {
      await makeDirectory(dirname(path))
      await mkdir(path, { mode: 0o700 }).catch(async (again: unknown) =>
        acceptExisting(path, again),
      )
    } else await acceptExisting(path, error)
  }
}

/** It exists already, or another process was quicker. */
async function acceptExisting(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() !== true) throw error
}
