import { statfsSync } from 'node:fs'
import type { DrainProgress } from '@core-dump-handler/ingest'
import type { ComposerSettings } from '../settings/settings.ts'

/** Thrown while draining: the core is not wanted, and what was written of it is taken back. */
export class CoreRefused extends Error {}

/** Bytes free for root's files where `path` is, statfs(2). */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

/**
 * Watches a core being written: refuses one whose ELF headers promise too much, as soon as they are
 * read and before anything but them is kept; tells `onFull` when the disk comes down to its floor.
 */
export function watchCore(
  directory: string,
  { maxCoreBytes, oversizedCore, minFreeBytes }: ComposerSettings,
  onFull: (reason: string) => void,
): (progress: DrainProgress) => void {
  let full = false
  return ({ expectedBytes = 0 }) => {
    if (oversizedCore === 'refuse' && maxCoreBytes > 0 && expectedBytes > maxCoreBytes) {
      throw new CoreRefused(
        `The core has ${expectedBytes} bytes, MAX_CORE_BYTES is ${maxCoreBytes} and OVERSIZED_CORE is \`refuse\``,
      )
    }
    if (minFreeBytes === 0 || full) return
    const free = freeBytes(directory)
    if (free >= minFreeBytes) return
    full = true
    onFull(`\`${directory}\` came down to ${free} bytes free, MIN_FREE_BYTES is ${minFreeBytes}`)
  }
}
