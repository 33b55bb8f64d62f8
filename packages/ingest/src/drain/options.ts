import type { ReadAhead } from './source/ahead.ts'

/**
 * How data that is neither zero nor incompressible is treated.
 * - `deflate`: compressed, level 1 unless told otherwise.
 * - `store`: nothing is compressed, zero runs still shrink to almost nothing.
 * - `adaptive`: compressed as long as that does not slow the reading down, stored otherwise.
 * - `zstd`: ZIP method 93; opens in 7-Zip and bsdtar, not in Info-ZIP nor older Pythons.
 */
export type DrainMode = 'deflate' | 'store' | 'adaptive' | 'zstd'

/**
 * A file descriptor (pipe, socket or regular file; owned by `drain` from then on, and closed by it),
 * or what is already being read from one, or anything that yields bytes.
 */
export type DrainSource = number | ReadAhead | AsyncIterable<Uint8Array>

/** What has happened so far. */
export interface DrainProgress {
  /** Bytes taken from the source. */
  readonly bytes: number
  /** Bytes these became in the archive. */
  readonly storedBytes: number
  /** Length the ELF headers promise, once they have been read. */
  readonly expectedBytes?: number
}

export interface DrainOptions {
  /** Name of the entry in the archive; validated by the archive writer. */
  readonly entryName: string
  /** @default 'deflate' */
  readonly mode?: DrainMode
  /** Compression level of `deflate` and `adaptive` (1 to 9) or of `zstd` (1 to 19). @default 1 */
  readonly level?: number
  /**
   * Compressors that run at once on libuv's thread pool, which has 4 threads unless
   * UV_THREADPOOL_SIZE was set before its first use.
   * @default CPUs + 1, at most 8
   */
  readonly lanes?: number
  /**
   * Nice value (0 to 19) for the threads of libuv's pool once a core has turned out to be large:
   * so that whoever writes into the pipe, and the reading, come before compressing. It is the pool
   * of the whole process, and it stays so. See setpriority(2).
   * @default 0: nothing is changed
   */
  readonly laneNice?: number
  /**
   * `adaptive` only: milliseconds for which everything is compressed, however long the source waits.
   * After that, what would wait for a lane is stored; lanes then leave one CPU to the reading.
   * @default 0
   */
  readonly holdBudgetMs?: number
  /**
   * `adaptive` only: asked once the budget is spent; as long as it says no, everything is compressed,
   * as where data that is stored might not find room.
   * @default yes
   */
  readonly mayStore?: () => boolean
  /** Keep at most this many bytes; the rest of the source is not read. @default Infinity */
  readonly maxBytes?: number
  /**
   * Bytes read and compressed as one, a multiple of 4096; `lanes + 16` such blocks are the memory used.
   * @default 131072
   */
  readonly blockBytes?: number
  /**
   * When the disk is full, so many of the bytes that the entry takes in the archive are given back,
   * at most half of them, if a beginning remains: room for what follows it.
   * @default 262144
   */
  readonly spareBytes?: number
  /** Modification time of the entry. @default that of the archive writer */
  readonly mtime?: Date
  /** Ends the reading; what came so far becomes a valid entry with `complete: false`. */
  readonly signal?: AbortSignal
  /** Called at most ten times a second. */
  readonly onProgress?: (progress: DrainProgress) => void
  /** Called once, as soon as the source is closed: a process that the kernel held is free now. */
  readonly onRelease?: (heldMs: number) => void
}
