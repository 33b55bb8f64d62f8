import type { Progress, Stored } from '../destination.ts'
import type { UploadError } from '../error.ts'

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

/** What an `UploadQueue` reports to its owner. `file` is a path. */
export type QueueEvent =
  | { readonly type: 'started'; readonly file: string; readonly bytes: number }
  | { readonly type: 'progress'; readonly file: string; readonly progress: Progress }
  | {
      readonly type: 'stored'
      readonly file: string
      readonly stored: Stored
      readonly durationMs: number
      /** Time between the file's last write and its confirmation. */
      readonly ageMs: number
      /** False when another file had taken the name meanwhile, or it could not be deleted (see `warning`). */
      readonly deleted: boolean
    }
  | {
      readonly type: 'failed'
      readonly file: string
      readonly error: UploadError
      /** The next file would fail too: one `paused` reports that for all of them. */
      readonly ofDestination?: true
      /** Failures of this file in a row. */
      readonly attempt: number
      /** When it is tried again; absent in a sweep. */
      readonly retryInMs?: number
    }
  | {
      readonly type: 'skipped'
      readonly file: string
      readonly reason: 'locked' | 'vanished' | 'not-a-file'
    }
  /**
   * The destination itself fails, now or for another reason than before: one file at a time is tried, next
   * after `retryInMs`. Once for each change, not for each file.
   */
  | { readonly type: 'paused'; readonly error: UploadError; readonly retryInMs: number }
  | { readonly type: 'resumed' }
  /** Something that did not stop the queue, such as a watch that could not be set up. */
  | {
      readonly type: 'warning'
      readonly code: 'DIRECTORY' | 'WATCH' | 'LOCK' | 'DELETE' | 'ABANDON'
      readonly message: string
      readonly cause?: unknown
    }

/** The waiting files in numbers, for status pages and metrics. */
export interface QueueStats {
  /** Waiting files, those in progress included. */
  readonly files: number
  readonly bytes: number
  readonly active: number
  /** Files whose last attempt failed. */
  readonly failing: number
  /** Last write of the oldest waiting file, ms since the epoch. */
  readonly oldestMtimeMs?: number
  readonly paused: boolean
}

/** Outcome of one `UploadQueue.sweep()`. */
export interface SweepResult {
  readonly stored: number
  readonly failed: number
  /** Locked by their writer, or gone before they were opened. */
  readonly skipped: number
  /** Not tried because the destination fails, or the sweep was aborted. */
  readonly untried: number
  readonly bytes: number
  readonly errors: readonly UploadError[]
}
