/**
 * How data that is neither zero nor incompressible is treated.
 * - `deflate`: compressed.
 * - `store`: stored; zero runs still shrink to almost nothing.
 * - `adaptive`: compressed as long as that does not slow the reading down, stored otherwise.
 * - `zstd`: ZIP method 93; opens in 7-Zip and bsdtar, not in Info-ZIP nor older Pythons.
 */
export type DrainMode = 'deflate' | 'store' | 'adaptive' | 'zstd'

/** The library that compresses: Intel's ISA-L (`libisal.so.2`), or Node's zlib. */
export type CompressionEngine = 'isal' | 'zlib'

/** How far a drain is. */
export interface DrainProgress {
  /** Bytes read from the source. */
  readonly bytes: number
  /** Bytes they take in the archive. */
  readonly storedBytes: number
  /** Length the ELF headers promise, once they have been read. */
  readonly expectedBytes?: number
}

export interface DrainOptions {
  /** Name of the entry in the archive; validated by the archive writer. */
  readonly entryName: string
  /** `auto` is `deflate` where ISA-L compresses, `adaptive` where zlib does. @default 'deflate' */
  readonly mode?: DrainMode | 'auto'
  /**
   * `auto` takes ISA-L at level 1, once the source has more than what is read ahead, where the
   * library can be loaded; `isal` takes it at any level (above 3 as 3) and size, where it can.
   * @default 'auto'
   */
  readonly engine?: CompressionEngine | 'auto'
  /**
   * koffi's native module, which calls ISA-L: a path, or a file name beside the libraries of the
   * executable. @default that of the npm package
   */
  readonly koffiPath?: string
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
   * the writer of the pipe and the reading come before compressing. The pool belongs to the whole
   * process, and keeps the value. See setpriority(2).
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
   * `adaptive` only: called once the budget is spent; while it returns false, everything is
   * compressed, as where there may be no room for stored data.
   * @default () => true
   */
  readonly mayStore?: () => boolean
  /** Keep at most this many bytes; the rest of the source is not read. @default Infinity */
  readonly maxBytes?: number
  /**
   * Bytes read and compressed as one block, a multiple of 4096; `lanes + 16` such blocks are the memory used.
   * @default 131072
   */
  readonly blockBytes?: number
  /**
   * On a full disk, the entry gives back so many of its bytes in the archive, at most half of them,
   * if a beginning remains: room for the entries that follow.
   * @default 262144
   */
  readonly spareBytes?: number
  /** Modification time of the entry. @default that of the archive writer */
  readonly mtime?: Date
  /** Ends the reading; the bytes read so far become a valid entry with `complete: false`. */
  readonly signal?: AbortSignal
  /**
   * Called with the bytes of the source in their order, also with those beyond `maxBytes` that were read
   * already; they are valid until it returns, or its promise settles, which is waited for. Must not throw or reject.
   */
  readonly onData?: (bytes: Buffer) => Promise<void> | undefined
  /** Called at most ten times a second. */
  readonly onProgress?: (progress: DrainProgress) => void
  /** Called once, when the source is closed: the kernel no longer holds the crashed process. */
  readonly onRelease?: (heldMs: number) => void
}
