import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { type Problem, problem } from '../warning.ts'

export interface ProcFile {
  readonly bytes: Buffer
  /** There was more than `maxBytes`. */
  readonly truncated: boolean
}

// a FIFO or a terminal where a file should be must not stop us, nor a link lead us elsewhere
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY

/** At most `maxBytes` of a file of procfs, whose size is not known beforehand; throws a system error. */
export function readProcFile(path: string, maxBytes: number): ProcFile {
  const fd = openSync(path, FLAGS)
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const chunks: Buffer[] = []
    let length = 0
    // one byte more than wanted tells whether there is more
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

/** Where the files of the crashing thread are; of the process, where there is no such thread. */
export function threadDirectory(root: string, pid: number, tid: number): string {
  const process = join(root, String(pid))
  // a process whose first thread has ended has its memory, and on cgroup v1 its path, here only
  const task = join(process, 'task', String(tid))
  return tid !== pid && existsSync(task) ? task : process
}

/** The pid that a pidfd of ours names: -1 once that process is reaped, undefined when it is none. */
export function pidOfPidfd(root: string, fd: number): number | undefined {
  try {
    const text = readProcFile(join(root, 'self/fdinfo', String(fd)), 65_536).bytes.toString(
      'latin1',
    )
    const pid = /^Pid:\t(-?\d+)$/m.exec(text)?.[1]
    return pid === undefined ? undefined : Number(pid)
  } catch {
    return undefined
  }
}

export function unreadable(name: string, pid: number, why: unknown): Problem {
  const reason = why instanceof Error ? why.message : String(why)
  return problem('PROCESS_FILE_UNREADABLE', `Cannot read \`${name}\` of process ${pid}: ${reason}`)
}

export function truncated(name: string, pid: number, maxBytes: number): Problem {
  const message = `\`${name}\` of process ${pid} is larger than ${maxBytes} bytes; the rest is cut off`
  return problem('PROCESS_FILE_TRUNCATED', message)
}
