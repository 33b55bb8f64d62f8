import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes `path` and what is missing above it, 0700. Node's own recursive way never ends where
 * mkdir(2) itself answers ENOENT, as it does below /proc: a bad setting would hold the process.
 */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // another composer was quicker
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
