import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Victims wait behind a gate, so that they crash at one moment of the test's choosing. */
export interface Gate {
  /** Arguments of a victim that waits here, in a pod with `mounts` or on the host. */
  readonly podArgs: readonly string[]
  readonly hostArgs: readonly string[]
  readonly mounts: Readonly<Record<string, string>>
  readonly open: () => void
}

export function gate(directory: string): Gate {
  const place = join(directory, 'gate')
  mkdirSync(place)
  return {
    podArgs: ['-g', '/gate/open'],
    hostArgs: ['-g', join(place, 'open')],
    mounts: { '/gate': place },
    open: () => writeFileSync(join(place, 'open'), ''),
  }
}
