import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { warning, type Warning } from '../error.ts'
import { messageOf } from '../text.ts'
import type { ProcessStatus } from './types.ts'

export interface ProcFile {
  readonly bytes: Buffer
  /** The file is longer than `maxBytes`. */
  readonly truncated: boolean
}

// a FIFO or a terminal must not block the read, and no link is followed
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY
// USER_HZ is 100 on every architecture that Kubernetes runs on, whatever CONFIG_HZ is
const TICKS_PER_SECOND = 100

/** At most `maxBytes` of a file of procfs, which reports no size; throws a system error. */
export function readProcFile(path: string, maxBytes: number): ProcFile {
  const fd = openSync(path, FLAGS)
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const chunks: Buffer[] = []
    let length = 0
    // one byte more than wanted shows whether the file goes on
    while (length <= maxBytes) {
      const chunk = Buffer.allocUnsafe(Math.min(65_536, maxBytes + 1 - length))
      const read = readSync(fd, chunk)
      if (read === 0) break
      chunks.push(chunk.subarray(0, read))
      length += read
    }
    const bytes = Buffer.concat(chunks, Math.min(length, maxBytes))
    return { bytes, truncated: length > maxBytes }
  } finally {
    closeSync(fd)
  }
}

/** The directory of the crashing thread in procfs; of the process where there is no such thread. */
export function threadDirectory(root: string, pid: number, tid: number): string {
  const process = join(root, String(pid))
  // where the first thread has ended, only the others show the memory and the cgroup v1 path
  const task = join(process, 'task', String(tid))
  return tid !== pid && existsSync(task) ? task : process
}

/** The pid that our descriptor `fd` names: -1 once that process is reaped, undefined where it is no pidfd. */
export function pidOfPidfd(root: string, fd: number): number | undefined {
  try {
    const { bytes } = readProcFile(join(root, 'self/fdinfo', String(fd)), 65_536)
    const pid = /^Pid:\t(-?\d+)$/m.exec(bytes.toString('latin1'))?.[1]
    return pid === undefined ? undefined : Number(pid)
  } catch {
    return undefined
  }
}

export function unreadable(name: string, pid: number, error: unknown): Warning {
  const message = `Cannot read \`${name}\` of process ${pid}: ${messageOf(error)}`
  return warning('PROCESS_FILE_UNREADABLE', message)
}

export function truncated(name: string, pid: number, maxBytes: number): Warning {
  const message = `\`${name}\` of process ${pid} is larger than ${maxBytes} bytes; the rest is cut off`
  return warning('PROCESS_FILE_TRUNCATED', message)
}

/** Parse /proc/<pid>/status; undefined where a field is missing that every kernel writes. */
export function parseStatus(text: string): ProcessStatus | undefined {
  // the kernel escapes newlines in Name, so every newline ends a field
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const name = fields.get('Name')
  const uid = integers(fields.get('Uid'))[0]
  const gid = integers(fields.get('Gid'))[0]
  if (name === undefined || uid === undefined || gid === undefined) return undefined
  return {
    name,
    // NSpid of a thread is the thread's id; a kernel without pid namespaces has Pid only
    nspid: integers(fields.get('NStgid') ?? fields.get('NSpid') ?? fields.get('Pid')),
    uid,
    gid,
    coreDumping: fields.get('CoreDumping') === '1',
  }
}

function integers(field = ''): number[] {
  return field
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(Number)
}

/** Field 22 of /proc/<pid>/stat: the start of the process in clock ticks after boot. */
export function parseStartTime(stat: string): bigint | undefined {
  // comm is field 2, in parentheses, and may itself hold blanks and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = fields[19]
  return field !== undefined && /^\d+$/.test(field) ? BigInt(field) : undefined
}

/** Seconds since the epoch, by `btime` of /proc/stat, which follows the current clock. */
export function secondsSinceEpoch(startTime: bigint, kernelStat: string): number | undefined {
  const btime = /^btime (\d+)$/m.exec(kernelStat)?.[1]
  return btime === undefined ? undefined : Number(btime) + Number(startTime) / TICKS_PER_SECOND
}
