import { existsSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { warning, type Warning } from '../error.ts'
import { withoutUndefined } from '../without-undefined.ts'
import {
  parseStartTime,
  parseStatus,
  pidOfPidfd,
  type ProcFile,
  readProcFile,
  secondsSinceEpoch,
  threadDirectory,
  truncated,
  unreadable,
} from './read-proc-file.ts'
import type { CrashFacts, ProcessSnapshot, SnapshotOptions } from './types.ts'

// far above what the kernel writes: 64 hierarchies with paths of 4096 bytes
const MAX_KERNEL_TEXT = 262_144
// /proc/stat has a line for each CPU and a number for each interrupt: 1 MiB with 8192 CPUs
const MAX_KERNEL_STAT = 8_388_608
export const MAX_FILE_BYTES = 2_097_152
// btime and %t are whole seconds, of a clock that may be slewed in between
const CLOCK_SLACK_SECONDS = 2

/**
 * Everything that is kept of a crashing process. Synchronous, because it has to be read before the
 * first byte of the core is taken; takes a few milliseconds and never throws. `cmdline`, `environ`
 * and `maps` of a hostile process can block it: see `snapshotProcessWithin`.
 */
export function snapshotProcess(pid: number, options: SnapshotOptions = {}): ProcessSnapshot {
  const {
    root = '/proc',
    tid = pid,
    pidfd,
    crash,
    includeFiles = [],
    maxFileBytes = MAX_FILE_BYTES,
  } = options
  const warnings: Warning[] = []
  const process = join(root, String(pid))
  const thread = threadDirectory(root, pid, tid)

  const startTime = parseStartTime(text(join(process, 'stat')) ?? '')
  // a directory without `stat` is no procfs: its pid is not reused, and nothing of it is proven
  if (startTime === undefined && !existsSync(process)) {
    return nothing(pid, warning('PROCESS_GONE', `No process ${pid} in \`${root}\``))
  }
  const status = parseStatus(text(join(thread, 'status')) ?? '')
  const cgroup = text(join(thread, 'cgroup'), {
    onError: (error) => warnings.push(unreadable('cgroup', pid, error)),
  })
  const exe = link(join(thread, 'exe'))
  const files = new Map<string, Buffer>()
  for (const name of includeFiles) {
    // a name, not a path: every file kept is of this process
    const file = read(join(thread, basename(name)), maxFileBytes, (error) =>
      warnings.push(unreadable(name, pid, error)),
    )
    if (file === undefined) continue
    files.set(name, file.bytes)
    if (file.truncated) warnings.push(truncated(name, pid, maxFileBytes))
  }

  const after = parseStatus(text(join(thread, 'status')) ?? '')
  const startTimeAfter = parseStartTime(text(join(process, 'stat')) ?? '')
  // read last: a pid is not reused while a pidfd names it
  const pidfdMatches = pidfd === undefined ? undefined : pidOfPidfd(root, pidfd) === pid
  if (startTimeAfter !== startTime || pidfdMatches === false) {
    const what = startTimeAfter === startTime ? `is not the one of pidfd ${pidfd}` : 'ended'
    return nothing(pid, warning('PROCESS_CHANGED', `Process ${pid} ${what} while it was read`))
  }
  const kernelStat = text(join(root, 'stat'), { maxBytes: MAX_KERNEL_STAT }) ?? ''
  const startedAt = startTime === undefined ? undefined : secondsSinceEpoch(startTime, kernelStat)
  const another = whyAnother({ pid, status, startedAt }, crash)
  if (another !== undefined) return nothing(pid, warning('PROCESS_CHANGED', another))
  return {
    ...withoutUndefined({ startTime, startedAt, pidfdMatches, cgroup, exe, status }),
    pid,
    stable: true,
    coreDumping: status?.coreDumping === true && after?.coreDumping === true,
    files,
    warnings,
  }
}

type OnError = (error: unknown) => void

/** A file that the kernel writes, whole or not at all. */
function text(
  path: string,
  { maxBytes = MAX_KERNEL_TEXT, onError }: { maxBytes?: number; onError?: OnError } = {},
): string | undefined {
  const file = read(path, maxBytes, onError)
  if (file?.truncated !== true) return file?.bytes.toString()
  onError?.(new Error(`it is larger than ${maxBytes} bytes`))
  return undefined
}

function read(path: string, maxBytes: number, onError?: OnError): ProcFile | undefined {
  try {
    return readProcFile(path, maxBytes)
  } catch (error) {
    onError?.(error)
    return undefined
  }
}

function link(path: string): Buffer | undefined {
  try {
    return readlinkSync(path, { encoding: 'buffer' })
  } catch {
    return undefined
  }
}

function nothing(pid: number, reason: Warning): ProcessSnapshot {
  return { pid, stable: false, coreDumping: false, files: new Map(), warnings: [reason] }
}

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
