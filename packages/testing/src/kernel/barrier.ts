import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Victims wait behind a gate, so that they crash at one moment of the test's choosing. */
export interface CrashBarrier {
  /** Arguments of a victim that waits here, in a pod with `mounts` or on the host. */
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

/** It sleeps between two looks for the gate: its memory is filled. */
export function isWaiting(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/wchan`, 'latin1').includes('nanosleep')
  } catch {
    return false
  }
}
