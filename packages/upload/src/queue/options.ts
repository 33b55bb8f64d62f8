import type { QueueEvent } from './events.ts'

/** `auto`: use util-linux or busybox `flock` when it is there; `off`: a finished name is enough. */
export type LockMode = 'auto' | 'off'

/** A file that waits to be sent. */
export interface WaitingFile {
  readonly name: string
  readonly bytes: number
  /** Last write, ms since the epoch. */
  readonly mtimeMs: number
}

/** Options of {@link UploadQueue}. */
export interface QueueOptions {
  /** Files under way at once. @default 2 */
  readonly concurrency?: number
  /**
   * Leave a file alone while somebody holds it with an exclusive `flock(2)`, and hold it shared while it is sent;
   * one that ends as a zip does is finished, and nobody is asked.
   * @default 'auto'
   */
  readonly lock?: LockMode
  /** Program that takes the lock. @default 'flock' */
  readonly flockPath?: string
  /** Wait after a first failure, doubled by each further one, ± 25 %. @default 1000 */
  readonly minDelayMs?: number
  /** Longest wait, and the wait after a failure that needs a person. @default 300000 */
  readonly maxDelayMs?: number
  /** Key of a file. @default its name, control characters percent-encoded */
  readonly key?: (name: string) => string
  /** What is appended to the key when another content has it. @default by content, see `PutOptions` */
  readonly uniqueId?: (name: string) => string | undefined
  /**
   * Asked whenever a file's turn has come, before it is opened: milliseconds for which it is left
   * alone, as somebody is about to put a better one into its place; see `refresh()`. Must not throw.
   * @default 0 for each
   */
  readonly holdBack?: (file: WaitingFile) => number
  /** Told of all that happens; must not throw. */
  readonly onEvent?: (event: QueueEvent) => void
}

/** Options of `UploadQueue.run()`. */
export interface RunOptions {
  /** Ends the run; transfers under way are given up within a moment and resumed by the next run. */
  readonly signal: AbortSignal
  /** Wake up when the directory changes. @default true */
  readonly watch?: boolean
  /** Look at the directory at least so often; `Infinity` = only when woken. @default 30000 */
  readonly rescanMs?: number
}

/** Options of `UploadQueue.sweep()`. */
export interface SweepOptions {
  readonly signal?: AbortSignal
  /** Paths to send instead of the directory's bundles. */
  readonly files?: readonly string[]
}
