import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, openSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'

/** A pipe, as the kernel gives it to a core_pattern program. */
export interface Pipe {
  /** Read end, a file descriptor of this process. */
  readonly fd: number
  /** The process that writes into it. */
  readonly writer: ChildProcess
}

/** A pipe that `command` (for sh) writes into; only this process has its read end. */
export function pipeFrom(dir: string, command: string): Pipe {
  const path = join(dir, `fifo-${process.hrtime.bigint()}`)
  execFileSync('mkfifo', [path])
  const writer = spawn('sh', ['-c', `{ ${command} ; } > "$0"`, path], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  // blocks until the writer opens its end
  const fd = openSync(path, 'r')
  return { fd, writer }
}

export async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

export function isOpen(fd: number): boolean {
  return existsSync(`/proc/self/fd/${fd}`)
}
