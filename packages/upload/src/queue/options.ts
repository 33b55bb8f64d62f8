import type { QueueEvent } from './events.ts'

/** `auto`: use util-linux or busybox `flock` where it is installed; `off`: a finished name is enough. */
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
  /** Files sent at once. @default 2 */
  readonly concurrency?: number
  /**
   * Have an exclusive `flock(2)` on a file while it is sent, and send none that another process has locked: a
   * writer in place, or another queue. A finished zip that is sent in one request is not locked.
   * @default 'auto'
   */
  readonly lock?: LockMode
  /** Program that takes the lock. @default 'flock' */
  readonly flockPath?: string
  /** Wait after a first failure, doubled by each further one; ± 25 % for a file, full jitter for the destination. @default 1000 */
  readonly minDelayMs?: number
  /** Longest wait, and the wait after a failure that needs a person. @default 300000 */
  readonly maxDelayMs?: number
  /** Key of a file. @default its name, control characters percent-encoded */
  readonly key?: (name: string) => string
  /** What is appended to the key when another content has it. @default by content, see `PutOptions` */
  readonly uniqueId?: (name: string) => string | undefined
  /**
   * Called before a file is opened: milliseconds for which it is not sent, because another program is about
   * to replace it; see `refresh()`. Must not throw.
   * @default 0 for each
   */
  readonly defer?: (file: WaitingFile) => number
  /** Called with every event; must not throw. */
  readonly onEvent?: (event: QueueEvent) => void
}

/** Options of `UploadQueue.run()`. */
export interface RunOptions {
  /** Ends the run; transfers in progress are aborted and resumed by the next run. */
  readonly signal: AbortSignal
  /** Read the directory when it changes. @default true */
  readonly watch?: boolean
  /** Read the directory at least so often; `Infinity` = only after `wake()`. @default 30000 */
  readonly rescanMs?: number
}

/** Options of `UploadQueue.sweep()`. */
export interface SweepOptions {
  readonly signal?: AbortSignal
  /** Paths to send instead of the directory's bundles. */
  readonly files?: readonly string[]
}
