import { close, constants, open, statfs, write } from 'node:fs'
import { promisify } from 'node:util'
import type { DrainProgress } from '@core-dump-handler/ingest'
import type { ComposerSettings } from '../settings/schema.ts'

// not node:fs/promises: it would be loaded while a process is held
const openFile = promisify(open)
const writeFile = promisify(write)
const closeFile = promisify(close)

/** Thrown while draining: the core is not wanted, and what was written of it is taken back. */
export class CoreRejected extends Error {}

/**
 * Rejects a core whose ELF headers announce too much, as soon as they are read and before anything
 * else is kept.
 */
export function checkSize(
  { expectedBytes = 0 }: DrainProgress,
  { maxCoreBytes, oversizedCore }: ComposerSettings,
): void {
  if (oversizedCore === 'refuse' && maxCoreBytes > 0 && expectedBytes > maxCoreBytes) {
    throw new CoreRejected(
      `The core has ${expectedBytes} bytes, MAX_CORE_BYTES is ${maxCoreBytes} and OVERSIZED_CORE is \`refuse\``,
    )
  }
}

/**
 * Watches the disk while a core is written. One statfs(2) at a time, in a thread of the pool: on a
 * disk that hangs it hangs as the writes do, and a timeout or a signal must still work.
 */
export class SpaceWatch {
  readonly #directory: string
  readonly #settings: Pick<ComposerSettings, 'maxCoreBytes' | 'minFreeBytes'>
  readonly #onFull: (reason: string) => void
  #looking = false
  #full = false
  #hasSpace = true
  #seenBytes = 0

  /**
   * `onFull` is called once, when the disk comes down to MIN_FREE_BYTES, or would be full before the
   * next look: other programs on this disk need not see it full.
   */
  constructor(
    directory: string,
    settings: Pick<ComposerSettings, 'maxCoreBytes' | 'minFreeBytes'>,
    onFull: (reason: string) => void,
  ) {
    this.#directory = directory
    this.#settings = settings
    this.#onFull = onFull
  }

  /**
   * Whether the rest of a core has room on the disk without compression, by its ELF headers. Where it
   * may not have, all of it is compressed, however long that holds the process: a lost core is worse.
   */
  get hasSpace(): boolean {
    return this.#hasSpace
  }

  /** Resolves when the disk was looked at; at once where an earlier look has not ended. */
  async update(progress: DrainProgress): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const free = await freeOrInfinite(this.#directory)
    this.#looking = false
    this.#check(progress, free)
  }

  #check({ bytes, storedBytes, expectedBytes = 0 }: DrainProgress, free: number): void {
    const { maxCoreBytes, minFreeBytes } = this.#settings
    const wanted = maxCoreBytes > 0 ? Math.min(expectedBytes, maxCoreBytes) : expectedBytes
    this.#hasSpace = free - minFreeBytes >= wanted - bytes
    if (minFreeBytes === 0 || this.#full) return
    const pace = storedBytes - this.#seenBytes
    this.#seenBytes = storedBytes
    if (free >= Math.max(minFreeBytes, pace)) return
    this.#full = true
    const limit =
      free < minFreeBytes
        ? `MIN_FREE_BYTES is ${minFreeBytes}`
        : `the core took ${pace} since the last look`
    this.#onFull(`\`${this.#directory}\` came down to ${free} bytes free, ${limit}`)
  }
}

/** An unknown figure is no reason to lose a core: a write on a full disk fails by itself. */
export function freeOrInfinite(directory: string): Promise<number> {
  return new Promise((resolve) => {
    statfs(directory, (error, stats) => resolve(error ? Infinity : stats.bavail * stats.bsize))
  })
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
export async function reserveSpace(directory: string): Promise<() => Promise<void>> {
  let fd: number | undefined
  try {
    fd = await openFile(directory, O_TMPFILE | constants.O_WRONLY, 0o600)
    await writeFile(fd, Buffer.alloc(RESERVED_BYTES))
  } catch {
    // what was written of it is kept
  }
  return async () => {
    if (fd === undefined) return
    const reserved = fd
    fd = undefined
    await closeFile(reserved)
  }
}
