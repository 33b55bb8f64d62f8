import { existsSync, linkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { errorCode } from '../text.ts'

/**
 * Creates the file, 0600, with all of its text: of several processes exactly one does, and a kill at any
 * moment leaves no file with a part of it. False when it exists.
 */
export function createOnce(path: string, text: string): boolean {
  if (existsSync(path)) return false
  const unique = `${process.pid}-${process.hrtime.bigint()}`
  const part = join(dirname(path), `.${basename(path)}.${unique}.part`)
  try {
    writeFileSync(part, text, { mode: 0o600, flag: 'wx' })
    linkSync(part, path)
    return true
  } catch (error) {
    const code = errorCode(error)
    if (code === 'EEXIST') return false
    // a file system without hard links: two processes may both create it
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error
    renameSync(part, path)
    return true
  } finally {
    rmSync(part, { force: true })
  }
}
