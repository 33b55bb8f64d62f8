import type { Problem } from '../warning.ts'

/** What the kernel said in argv; what is given must agree with the snapshot. */
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
   * Host id of the crashing thread (`%I`): what can be read of it is read of it, because a
   * process whose first thread has ended shows nothing under its own id.
   */
  readonly tid?: number
  /** The descriptor that the kernel passed for `%F`; its fdinfo must name the same pid. */
  readonly pidfd?: number
  /** What the kernel said of the crash: nothing is kept of a process that cannot have been in it. */
  readonly crash?: CrashFacts
  /**
   * More files of the process to keep, such as `auxv`, `cmdline`, `environ`, `maps`, `status`.
   * @default []
   */
  readonly includeFiles?: readonly string[]
  /**
   * Upper bound for each of `includeFiles`; the rest is cut off, with a problem.
   * @default 2097152
   */
  readonly maxFileBytes?: number
}

export interface SnapshotWithinOptions extends SnapshotOptions {
  /**
   * Limit of each of `cmdline` and `environ`; after one that was not done in time no other is tried.
   * @default 1000
   */
  readonly memoryTimeoutMs?: number | undefined
}

/** One process at one moment; every part is of the same process, or absent. */
export interface ProcessSnapshot {
  readonly pid: number
  /**
   * The pid named the same process from the first read to the last: same start time before and
   * after, and the pidfd, where one was given, names it; nor is it another than the one of `crash`,
   * by start and inner pid. When false nothing below was kept.
   */
  readonly stable: boolean
  /** Clock ticks after boot (proc_pid_stat(5), field 22). */
  readonly startTime?: bigint
  /** Seconds since the epoch, from `startTime` and `btime` of /proc/stat; right to about 1 s. */
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
  /** The files asked for that could be read, in the order asked for. */
  readonly files: ReadonlyMap<string, Buffer>
  readonly problems: readonly Problem[]
}

/** What proc_pid_status(5) says, as far as it is needed to know whose crash this is. */
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
