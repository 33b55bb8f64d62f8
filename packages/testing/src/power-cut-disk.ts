import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const BYTES = 64 * 1024 * 1024
// ext4 commits nothing by itself for so many seconds
const COMMIT_S = 600

/** A disk on which is found after a power-off what was durable by then. */
export interface PowerCutDisk extends Disposable {
  readonly path: string
  /** The directory where the disk is mounted after a power-off at this moment. */
  afterPowerCut(): string
}

/** Whether this machine can mount one: it needs root, mkfs.ext4 and a loop device. */
export function canMountDisks(): boolean {
  try {
    execFileSync('mkfs.ext4', ['-V'], { stdio: 'pipe' })
    execFileSync('losetup', ['-f'], { stdio: 'pipe' })
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

/** An ext4 in a file in `dir`. A copy of that file is what a power-off leaves: its journal is replayed. */
export function powerCutDisk(dir: string): PowerCutDisk {
  const [image, path, after] = [join(dir, 'disk'), join(dir, 'before'), join(dir, 'after')]
  writeFileSync(image, '')
  truncateSync(image, BYTES)
  execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0', image], { stdio: 'pipe' })
  mkdirSync(path)
  mkdirSync(after)
  const mounted: string[] = []
  const mount = (file: string, at: string): void => {
    execFileSync('mount', ['-o', `loop,commit=${COMMIT_S}`, file, at], { stdio: 'pipe' })
    mounted.push(at)
  }
  mount(image, path)
  // what the making of the file system has left to write is not the test's
  execFileSync('sync', ['-f', path])
  return {
    path,
    afterPowerCut: () => {
      copyFileSync(image, `${image}-copy`)
      mount(`${image}-copy`, after)
      return after
    },
    [Symbol.dispose]: () => {
      for (const at of mounted) execFileSync('umount', ['-l', at])
    },
  }
}
