import { execFileSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface FreezableDisk extends AsyncDisposable {
  readonly path: string
  /** From now on each write to it hangs, as on a disk that does not answer; fsfreeze(8). */
  freeze(): void
}

/** An ext4 file system of `mib` MiB; where mounting is not allowed, a failure under CI and a reported skip elsewhere. */
export function freezableDisk(dir: string, mib: number): FreezableDisk | undefined {
  const image = join(dir, 'disk.ext4')
  const path = join(dir, 'freezable-disk')
  mkdirSync(path)
  writeFileSync(image, '')
  truncateSync(image, mib * 2 ** 20)
  try {
    execFileSync('mkfs.ext4', ['-q', image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop', image, path], { stdio: 'pipe' })
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    process.stderr.write(`\n  SKIPPED: no disk that hangs without root (${String(error)})\n`)
    return undefined
  }
  let frozen = false
  return {
    path,
    freeze() {
      execFileSync('fsfreeze', ['--freeze', path])
      frozen = true
    },
    async [Symbol.asyncDispose]() {
      if (frozen) execFileSync('fsfreeze', ['--unfreeze', path])
      execFileSync('umount', ['-l', path])
    },
  }
}
