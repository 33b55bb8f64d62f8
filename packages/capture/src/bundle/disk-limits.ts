import { closeSync, constants, openSync, writeSync } from 'node:fs'
import type { DrainProgress } from '@core-dump-handler/ingest'
import { freeBytes } from '../decide/select.ts'
import type { ComposerSettings } from '../settings/schema.ts'

/** Thrown while draining: the core is not wanted, and what was written of it is taken back. */
export class CoreRejected extends Error {}

/**
 * Watches a core being written: rejects one whose ELF headers announce too much, as soon as they are
 * read and before anything else is kept; calls `onFull` when the disk comes down to MIN_FREE_BYTES, or
 * would be full before the next look: other programs on this disk need not see it full.
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
      throw new CoreRejected(
        `The core has ${expectedBytes} bytes, MAX_CORE_BYTES is ${maxCoreBytes} and OVERSIZED_CORE is \`refuse\``,
      )
    }
    if (minFreeBytes === 0 || full) return
    const free = freeOrInfinite(directory)
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
 * Whether the rest of a core has room on the disk without compression, by its ELF headers. Where it
 * may not have, all of it is compressed, however long that holds the process: a lost core is worse.
 */
export class SpaceWatch {
  readonly #directory: string
  readonly #settings: Pick<ComposerSettings, 'maxCoreBytes' | 'minFreeBytes'>
  #hasSpace = true

  constructor(
    directory: string,
    settings: Pick<ComposerSettings, 'maxCoreBytes' | 'minFreeBytes'>,
  ) {
    this.#directory = directory
    this.#settings = settings
  }

  get hasSpace(): boolean {
    return this.#hasSpace
  }

  update({ bytes, expectedBytes = 0 }: DrainProgress): void {
    const { maxCoreBytes, minFreeBytes } = this.#settings
    const wanted = maxCoreBytes > 0 ? Math.min(expectedBytes, maxCoreBytes) : expectedBytes
    this.#hasSpace = freeOrInfinite(this.#directory) - minFreeBytes >= wanted - bytes
  }
}

/** An unknown figure is no reason to lose a core: a write on a full disk fails by itself. */
function freeOrInfinite(directory: string): number {
  try {
    return freeBytes(directory)
  } catch {
    return Infinity
  }
}

// open(2); Node does not name it: a file without a name, which is gone with its descriptor
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY
/** A manifest and a central directory, many times over. */
const RESERVED_BYTES = 64 * 1024

/**
 * Reserves a little of the disk, so that a core or a log that fills it leaves room for the record of
 * that. Returns what frees it. Where it cannot be had (a full disk, a file system without O_TMPFILE)
 * nothing is reserved.
 */
export function reserveSpace(directory: string): () => void {
  let fd: number | undefined
  try {
    fd = openSync(directory, O_TMPFILE | constants.O_WRONLY, 0o600)
    writeSync(fd, Buffer.alloc(RESERVED_BYTES))
  } catch {
    // what was written of it is kept
  }
  return () => {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
  }
}
