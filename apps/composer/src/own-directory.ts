import { mkdirSync } from 'node:fs'

/** Makes a directory of ours in `home`, 0700. Not recursively: Node never returns from that in /proc. */
export function makeOwnDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
