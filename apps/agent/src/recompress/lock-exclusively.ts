import { spawn } from 'node:child_process'

/**
 * Takes an exclusive flock(2) on an open file, if nobody has any: the queue leaves it alone then, and
 * one that is being sent is not ours. It lasts as long as the file is open, here or in a child.
 */
export async function lockExclusively(fd: number): Promise<'locked' | 'busy' | 'unavailable'> {
  const child = spawn('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  return new Promise((resolve) => {
    child.once('error', () => resolve('unavailable'))
    child.once('exit', (status) =>
      resolve(status === 0 ? 'locked' : status === 1 ? 'busy' : 'unavailable'),
    )
  })
}
