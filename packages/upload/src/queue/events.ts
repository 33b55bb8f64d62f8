import type { Progress, Stored } from '../destination.ts'
import type { UploadError } from '../error.ts'

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
