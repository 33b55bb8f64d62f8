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
 * read and before anything but them is kept; tells `onFull` when the disk comes down to its floor,
 * or would be full before the next look: others on this disk need not see it full.
 */
export function watchCore(
  directory: string,
  { maxCoreBytes, oversizedCore, minFreeBytes }: ComposerSettings,
  onFull: (reason: string) => void,
): (progress: DrainProgress) => void {
  let full = false
  let seenBytes = 0
  return ({ expectedBytes = 0, storedBytes }) => {
    if (oversizedCore === 'refuse' && maxCoreBytes > 0 && expectedBytes > maxCoreBytes) {
      throw new CoreRefused(
        `The core has ${expectedBytes} bytes, MAX_CORE_BYTES is ${maxCoreBytes} and OVERSIZED_CORE is \`refuse\``,
      )
    }
    if (minFreeBytes === 0 || full) return
    const free = freeOrAll(directory)
    const pace = storedBytes - seenBytes
    seenBytes = storedBytes
    if (free >= Math.max(minFreeBytes, pace)) return
    full = true
    const limit =
      free < minFreeBytes
        ? `MIN_FREE_BYTES is ${minFreeBytes}`
        : `the core took ${pace} since the last look`
    onFull(`\`${directory}\` came down to ${free} bytes free, ${limit}`)
  }
}

/**
 * Whether the rest of a core would find room as it is, by what its ELF headers promise: where it may
 * not, it is compressed in full, however long that holds the process. A lost core helps nobody.
 */
export class RoomWatch {
  readonly #directory: string
  readonly #settings: Pick<ComposerSettings, 'maxCoreBytes' | 'minFreeBytes'>
  #hasRoom = true

  constructor(
    directory: string,
    settings: Pick<ComposerSettings, 'maxCoreBytes' | 'minFreeBytes'>,
  ) {
    this.#directory = directory
    this.#settings = settings
  }

  get hasRoom(): boolean {
    return this.#hasRoom
  }

  look({ bytes, expectedBytes = 0 }: DrainProgress): void {
    const { maxCoreBytes, minFreeBytes } = this.#settings
    const wanted = maxCoreBytes > 0 ? Math.min(expectedBytes, maxCoreBytes) : expectedBytes
    this.#hasRoom = freeOrAll(this.#directory) - minFreeBytes >= wanted - bytes
  }
}

/** What cannot be told is no reason to lose a core: a disk that is full will say so itself. */
function freeOrAll(directory: string): number {
  try {
    return freeBytes(directory)
  } catch {
    return Infinity
  }
}
