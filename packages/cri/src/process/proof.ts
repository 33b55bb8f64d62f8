import type { CrashFacts, ProcessSnapshot } from './types.ts'

// btime and %t are whole seconds of a clock that may be slewed in between
const CLOCK_SLACK_SECONDS = 2

/** What a process is known by. */
interface Known {
  readonly pid: number
  readonly status?: ProcessSnapshot['status'] | undefined
  readonly startedAt?: number | undefined
}

/**
 * Why `snapshot` is of another process than the one that crashed, as it is where the pid has been
 * used again; undefined where nothing says so.
 */
export function whyAnother(
  { pid, status, startedAt }: Known,
  { timestamp, pid: innerPid }: CrashFacts = {},
): string | undefined {
  const found = status?.nspid.at(-1)
  const limit = timestamp === undefined ? Infinity : timestamp + CLOCK_SLACK_SECONDS
  const why =
    startedAt !== undefined && startedAt > limit
      ? 'it started after the crash'
      : found !== undefined && differs('pid in its namespace', found, innerPid)
  return why ? `Process ${pid} is not the one that crashed: ${why}` : undefined
}

/** Why `snapshot` is not proven to be of the process that the kernel is dumping; undefined = it is. */
export function doubtOf(snapshot: ProcessSnapshot, crash: CrashFacts = {}): string | undefined {
  const { pid, status, startedAt } = snapshot
  if (!snapshot.stable) {
    return snapshot.problems[0]?.message ?? `process ${pid} could not be read`
  }
  if (status === undefined) return `the status of process ${pid} could not be read`
  if (!snapshot.coreDumping) return `process ${pid} is not dumping core`
  if (crash.pid === undefined || crash.timestamp === undefined) {
    return 'the kernel was not asked for the pid (%p) and the time (%t) of the crash'
  }
  if (startedAt === undefined) return `the start time of process ${pid} could not be read`
  return (
    whyAnother(snapshot, crash) ??
    differs('pid in its namespace', status.nspid.at(-1), crash.pid) ??
    differs('user id', status.uid, crash.uid) ??
    differs('group id', status.gid, crash.gid)
  )
}

function differs(what: string, found?: number, told?: number): string | undefined {
  if (told === undefined || found === told) return undefined
  return `the ${what} is ${found ?? 'unknown'}, the kernel said ${told}`
}
