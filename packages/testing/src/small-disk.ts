import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

export interface SmallDisk extends AsyncDisposable {
  readonly path: string
}

/** A tmpfs of `mib` MiB; where mounting is not allowed, a failure under CI and a reported skip elsewhere. */
export function smallDisk(dir: string, mib: number): SmallDisk | undefined {
  const path = join(dir, 'small-disk')
  mkdirSync(path)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'none', path], { stdio: 'pipe' })
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    process.stderr.write(`\n  SKIPPED: no full disk without root (${String(error)})\n`)
    return undefined
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      execFileSync('umount', ['-l', path])
    },
  }
}
