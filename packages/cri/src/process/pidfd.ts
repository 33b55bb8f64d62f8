import { join } from 'node:path'
import { readProcFile } from './read-proc-file.ts'

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
