import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { messageOf } from '../error.ts'

export type FlockResult =
  | { readonly outcome: 'locked' }
  /** Another process has a lock on the file. */
  | { readonly outcome: 'taken' }
  /** It cannot be known; the reason. */
  | { readonly outcome: 'unknown'; readonly reason: string }

const TIMEOUT_MS = 5000

/**
 * Takes an exclusive flock(2) on an open file by util-linux or busybox `flock`, without waiting: Node
 * has no flock(2). The lock belongs to the open file, so it lasts until that is closed here and in
 * every child that has it.
 */
export async function flock(fd: number): Promise<FlockResult> {
  try {
    // not by execa: its `stdio` does not accept an open file as descriptor 3
    const child = spawn('flock', ['-n', '-x', '3'], {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      timeout: TIMEOUT_MS,
    })
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve)
    })
    const [exitCode, stderr] = await Promise.all([
      ended,
      child.stderr === null ? '' : text(child.stderr),
    ])
    if (exitCode === 0) return { outcome: 'locked' }
    if (exitCode === 1 && stderr === '') return { outcome: 'taken' }
    return { outcome: 'unknown', reason: stderr.trim() || `flock ended with ${exitCode}` }
  } catch (error) {
    return { outcome: 'unknown', reason: messageOf(error) }
  }
}
