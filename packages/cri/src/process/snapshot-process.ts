import { existsSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Problem, problem } from '../warning.ts'
import {
  pidOfPidfd,
  type ProcFile,
  readProcFile,
  threadDirectory,
  truncated,
  unreadable,
} from './read-proc-file.ts'
import { whyAnother } from './proof.ts'
import { parseStartTime, parseStatus, secondsSinceEpoch } from './parse-proc.ts'
import type { ProcessSnapshot, SnapshotOptions } from './types.ts'

// far above what the kernel writes: 64 hierarchies with paths of 4096 bytes
const MAX_KERNEL_TEXT = 262_144
export const MAX_FILE_BYTES = 2_097_152

/**
 * Everything that has to be known of a crashing process, read at once: synchronous, because it has
 * to be done before the first byte of the core is taken. Never throws; takes a few milliseconds, but
 * for `cmdline` and `environ` of a process that means harm: see `snapshotProcessWithin`.
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
  const problems: Problem[] = []
  const process = join(root, String(pid))
  const thread = threadDirectory(root, pid, tid)

  const startTime = parseStartTime(text(join(process, 'stat')) ?? '')
  // a directory without `stat` is no procfs, and nothing is reused there; nothing is proven either
  if (startTime === undefined && !existsSync(process)) {
    return nothing(pid, problem('PROCESS_GONE', `No process ${pid} in \`${root}\``))
  }
  const status = parseStatus(text(join(thread, 'status')) ?? '')
  const cgroup = text(join(thread, 'cgroup'), (why) =>
    problems.push(unreadable('cgroup', pid, why)),
  )
  const exe = link(join(thread, 'exe'))
  const files = new Map<string, Buffer>()
  for (const name of includeFiles) {
    // a name, not a path: what is kept is of this process
    const file = keep(join(thread, basename(name)), maxFileBytes, (why) => {
      problems.push(unreadable(name, pid, why))
    })
    if (file === undefined) continue
    files.set(name, file.bytes)
    if (file.truncated) problems.push(truncated(name, pid, maxFileBytes))
  }

  const after = parseStatus(text(join(thread, 'status')) ?? '')
  const startTimeAfter = parseStartTime(text(join(process, 'stat')) ?? '')
  // last of all: a pid is not given away while a pidfd still names it
  const pidfdMatches = pidfd === undefined ? undefined : pidOfPidfd(root, pidfd) === pid
  if (startTimeAfter !== startTime || pidfdMatches === false) {
    const what = startTimeAfter === startTime ? `is not the one of pidfd ${pidfd}` : 'ended'
    return nothing(pid, problem('PROCESS_CHANGED', `Process ${pid} ${what} while it was read`))
  }
  const bootTime = text(join(root, 'stat')) ?? ''
  const startedAt = startTime === undefined ? undefined : secondsSinceEpoch(startTime, bootTime)
  const another = whyAnother({ pid, status, startedAt }, crash)
  if (another !== undefined) return nothing(pid, problem('PROCESS_CHANGED', another))
  return {
    pid,
    stable: true,
    ...(startTime !== undefined && { startTime }),
    ...(startedAt !== undefined && { startedAt }),
    coreDumping: status?.coreDumping === true && after?.coreDumping === true,
    ...(pidfdMatches !== undefined && { pidfdMatches }),
    ...(cgroup !== undefined && { cgroup }),
    ...(exe !== undefined && { exe }),
    ...(status !== undefined && { status }),
    files,
    problems,
  }
}

type Complain = (error: unknown) => void

/** A file that the kernel writes, whole or not at all. */
function text(path: string, complain?: Complain): string | undefined {
  const file = keep(path, MAX_KERNEL_TEXT, complain)
  if (file?.truncated !== true) return file?.bytes.toString()
  complain?.(new Error(`it is larger than ${MAX_KERNEL_TEXT} bytes`))
  return undefined
}

function keep(path: string, maxBytes: number, complain?: Complain): ProcFile | undefined {
  try {
    return readProcFile(path, maxBytes)
  } catch (error) {
    complain?.(error)
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

function nothing(pid: number, why: Problem): ProcessSnapshot {
  return { pid, stable: false, coreDumping: false, files: new Map(), problems: [why] }
}
