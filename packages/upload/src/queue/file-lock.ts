import { spawn } from 'node:child_process'
import type { FileHandle } from 'node:fs/promises'

/** `ours`: as long as the handle is open; `held`: another process writes or sends; `unavailable`: unknown. */
export type LockState = 'ours' | 'held' | 'unavailable'

/** Exit status of flock(1) when another process has the lock. */
const CONFLICT = 1
const MISSING = new Set(['ENOENT', 'EACCES', 'ENOTDIR'])

/**
 * Try for an exclusive flock(2) through util-linux or busybox `flock` on an inherited descriptor: the lock
 * belongs to the open file and stays with us when the program ends. Node has no flock of its own, and
 * the packages that have are native; those without are no flock at all.
 */
export async function lockExclusively(handle: FileHandle, program: string): Promise<LockState> {
  const { promise, resolve } = Promise.withResolvers<LockState>()
  const child = spawn(program, ['-x', '-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', handle.fd],
  })
  child.once('error', (error: NodeJS.ErrnoException) =>
    // no program; anything else, such as no process left, may pass: the file is tried later
    resolve(MISSING.has(error.code ?? '') ? 'unavailable' : 'held'),
  )
  child.once('exit', (status) =>
    resolve(status === 0 ? 'ours' : status === CONFLICT ? 'held' : 'unavailable'),
  )
  return promise
}
