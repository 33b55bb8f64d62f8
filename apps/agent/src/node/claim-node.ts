import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export type Claim =
  | { readonly outcome: 'claimed'; readonly release: () => void }
  | { readonly outcome: 'taken' }
  /** Nobody could be asked; the reason. */
  | { readonly outcome: 'unknown'; readonly reason: string }

/**
 * Hold HOST_DIR for this agent alone until `release` or the end of the process, however it ends:
 * util-linux `flock` puts the lock on our open directory. No file is left, none can go stale.
 */
export function claimNode(hostDir: string): Claim {
  let fd: number
  try {
    fd = openSync(hostDir, 'r')
  } catch (error) {
    return { outcome: 'unknown', reason: String(error) }
  }
  // Node has no flock(2); the lock belongs to the open file, so it outlives the program that took it
  const { status, error, stderr } = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    timeout: 5000,
  })
  if (status === 0) return { outcome: 'claimed', release: () => closeSync(fd) }
  closeSync(fd)
  return status === 1 && error === undefined && stderr.length === 0
    ? { outcome: 'taken' }
    : { outcome: 'unknown', reason: error ? String(error) : stderr.toString().trim() }
}
