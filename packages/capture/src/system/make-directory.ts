import { mkdir, stat } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { errorCode } from '../text.ts'

// not node:fs/promises: it would be loaded while a process is held
const makeOne = promisify(mkdir)
const statOf = promisify(stat)

/**
 * Makes `path` and the missing directories above it, 0700. Node's recursive mkdir never returns
 * where mkdir(2) itself answers ENOENT, as it does below /proc: a bad setting would hold the process.
 */
export async function makeDirectory(path: string): Promise<void> {
  if (await exists(path)) return
  await makeDirectory(dirname(path))
  try {
    await makeOne(path, { mode: 0o700 })
  } catch (error) {
    // another process was first
    if (errorCode(error) !== 'EEXIST') throw error
  }
}

/** False also where it cannot be known: what uses the path reports it. */
export async function exists(path: string): Promise<boolean> {
  try {
    await statOf(path)
    return true
  } catch {
    return false
  }
}
