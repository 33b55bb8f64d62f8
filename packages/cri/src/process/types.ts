import type { BlockingCalls } from '../blocking-calls.ts'
import type { Warning } from '../error.ts'

/** What the kernel passed in argv about the crash; every fact given must agree with the snapshot. */
export interface CrashFacts {
  /** `%t`, seconds since the epoch. */
  readonly timestamp?: number | undefined
  /** `%p`, the pid in the innermost pid namespace. */
  readonly pid?: number | undefined
  /** `%u` */
  readonly uid?: number | undefined
  /** `%g` */
  readonly gid?: number | undefined
}

export interface SnapshotOptions {
  /**
   * Where procfs is mounted; a scratch tree in a test.
   * @default '/proc'
   */
  readonly root?: string
  /**
   * Host id of the crashing thread (`%I`). Files are read of that thread where it exists: a process
   * whose first thread has ended shows nothing under its own id.
   */
  readonly tid?: number
  /** The pidfd that the kernel passed for `%F`; its fdinfo must name the same pid. */
  readonly pidfd?: number
  /** The crash, as the kernel passed it: nothing is kept of a process that contradicts it. */
  readonly crash?: CrashFacts
  /**
   * More files of the process to keep, such as `auxv`, `cmdline`, `environ`, `maps`, `status`.
   * @default []
   */
  readonly includeFiles?: readonly string[]
  /**
   * Upper bound for each of `includeFiles`; the rest is cut off, with a warning.
   * @default 2097152
   */
  readonly maxFileBytes?: number
}

export interface SnapshotWithinOptions extends SnapshotOptions {
  /**
   * Limit for reading each of `cmdline`, `environ` and `maps`; after one that hangs no other is tried.
   * @default 1000
   */
  readonly memoryTimeoutMs?: number | undefined
  /** @default those of this process */
  readonly blockingCalls?: BlockingCalls
}

/** One process at one moment; every field is of the same process, or absent. */
export interface ProcessSnapshot {
  readonly pid: number
  /**
   * The pid named the same process from the first read to the last: the start time is the same
   * before and after, the pidfd names it where one was given, and its start time and inner pid do
   * not contradict `crash`. When false, nothing below was kept.
   */
  readonly stable: boolean
  /** Clock ticks after boot (proc_pid_stat(5), field 22). */
  readonly startTime?: bigint
  /** Seconds since the epoch, from `startTime` and `btime` of /proc/stat; accurate to about 1 s. */
  readonly startedAt?: number
  /** `CoreDumping: 1` before the first and after the last read. */
  readonly coreDumping: boolean
  /** The pidfd was given and names this process. */
  readonly pidfdMatches?: boolean
  /** Text of /proc/<pid>/cgroup; absent when it could not be read whole. */
  readonly cgroup?: string
  /** Bytes of the link /proc/<pid>/exe. */
  readonly exe?: Buffer
  readonly status?: ProcessStatus
  /** Those of `includeFiles` that could be read, in that order. */
  readonly files: ReadonlyMap<string, Buffer>
  readonly warnings: readonly Warning[]
}

/** The fields of proc_pid_status(5) that identify a process. */
export interface ProcessStatus {
  /** comm, as the kernel escapes it; bytes that are not UTF-8 become U+FFFD. */
  readonly name: string
  /** The process's pid in each pid namespace, outermost first; the last is `%p`. */
  readonly nspid: readonly number[]
  /** Real user id (`%u`). */
  readonly uid: number
  /** Real group id (`%g`). */
  readonly gid: number
  readonly coreDumping: boolean
}
