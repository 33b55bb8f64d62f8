import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Programs wait here, so that they crash at one moment that the test chooses. */
export interface CrashBarrier {
  /** Arguments of a crasher that waits here, in a pod with `mounts` or on the host. */
  readonly podArgs: readonly string[]
  readonly hostArgs: readonly string[]
  readonly mounts: Readonly<Record<string, string>>
  readonly open: () => void
}

export function crashBarrier(directory: string): CrashBarrier {
  const place = join(directory, 'barrier')
  mkdirSync(place)
  return {
    podArgs: ['-g', '/barrier/open'],
    hostArgs: ['-g', join(place, 'open')],
    mounts: { '/barrier': place },
    open: () => writeFileSync(join(place, 'open'), ''),
  }
}

/** Whether it sleeps between two looks for the barrier: then its memory is filled. */
export function isWaiting(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/wchan`, 'latin1').includes('nanosleep')
  } catch {
    return false
  }
}
