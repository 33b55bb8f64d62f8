import type { CrashFacts, ProcessSnapshot } from './types.ts'

// btime and %t are whole seconds, of a clock that may be slewed in between
const CLOCK_SLACK_SECONDS = 2

interface Process {
  readonly pid: number
  readonly status?: ProcessSnapshot['status'] | undefined
  readonly startedAt?: number | undefined
}

/** Why a process is not the one that crashed, as where its pid was reused; undefined where it may be. */
export function whyAnother(
  { pid, status, startedAt }: Process,
  { timestamp, pid: innerPid }: CrashFacts = {},
): string | undefined {
  const found = status?.nspid.at(-1)
  const limit = timestamp === undefined ? Infinity : timestamp + CLOCK_SLACK_SECONDS
  const reason =
    startedAt !== undefined && startedAt > limit
      ? 'it started after the crash'
      : found !== undefined && differs('pid in its namespace', found, innerPid)
  return reason ? `Process ${pid} is not the one that crashed: ${reason}` : undefined
}

/** Why `snapshot` is not proven to be of the process that the kernel is dumping; undefined where it is. */
export function doubtOf(snapshot: ProcessSnapshot, crash: CrashFacts = {}): string | undefined {
  const { pid, status, startedAt } = snapshot
  if (!snapshot.stable) {
    return snapshot.warnings[0]?.message ?? `process ${pid} could not be read`
  }
  if (status === undefined) return `the status of process ${pid} could not be read`
  if (!snapshot.coreDumping) return `process ${pid} is not dumping core`
  if (crash.pid === undefined || crash.timestamp === undefined) {
    return 'the pid (%p) and the time (%t) of the crash are not given'
  }
  if (startedAt === undefined) return `the start time of process ${pid} could not be read`
  return (
    whyAnother(snapshot, crash) ??
    differs('pid in its namespace', status.nspid.at(-1), crash.pid) ??
    differs('user id', status.uid, crash.uid) ??
    differs('group id', status.gid, crash.gid)
  )
}

function differs(what: string, found?: number, expected?: number): string | undefined {
  if (expected === undefined || found === expected) return undefined
  return `the ${what} is ${found ?? 'unknown'}, the kernel passed ${expected}`
}
