import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { errorCode } from '../text.ts'

const MAX_BYTES = 1024 * 1024
/** A rotation takes microseconds: an older lock is of a process that was killed. */
const LOCK_MAX_MS = 10_000

/**
 * Appends lines to a log that several processes write, 0600. At `maxBytes` it is renamed to `<path>.1`,
 * replacing an older one, so that there are never more than two files. @default 1 MiB
 */
export function appendBounded(path: string, text: string, maxBytes: number = MAX_BYTES): void {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants
  const open = (): number =>
    openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  let fd = open()
  try {
    const { size, ino } = fstatSync(fd)
    if (size > maxBytes) {
      rotate(path, ino)
      closeSync(fd)
      fd = open()
    }
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}

/** Renames the file, unless another process does so now, or has done so: its new file is not the one that is full. */
function rotate(path: string, ino: number): void {
  // rename(2) takes any file that has the name: without a lock it could be a new one, and replace the full one
  const lock = `${path}.lock`
  if (!takeLock(lock)) return
  try {
    if (lstatSync(path).ino === ino) renameSync(path, `${path}.1`)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  } finally {
    rmSync(lock, { force: true })
  }
}

/** False while another process has it; the lock of a process that was killed is removed for the next caller. */
function takeLock(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return true
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  const since = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs
  if (since !== undefined && Date.now() - since > LOCK_MAX_MS) rmSync(path, { force: true })
  return false
}
