import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from '../text.ts'

/**
 * Makes `path` and the missing directories above it, 0700. Node's recursive mkdir never returns
 * where mkdir(2) itself answers ENOENT, as it does below /proc: a bad setting would hold the process.
 */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // another process was first
    if (errorCode(error) !== 'EEXIST') throw error
  }
}
