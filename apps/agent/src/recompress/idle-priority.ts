import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * CPU and disk only where nobody else wants them, SCHED_IDLE and the idle class of ioprio_set(2),
 * by util-linux; without its programs the process's own nice value has to do. Never rejects.
 */
export async function setIdlePriority(pid: number): Promise<void> {
  await Promise.all([
    // all threads: those that come later inherit it
    runQuietly('chrt', ['--all-tasks', '--idle', '--pid', '0', String(pid)]),
    runQuietly('ionice', ['-c', '3', '-p', String(pid)]),
  ])
}

async function runQuietly(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: 'ignore' })
  await once(child, 'exit').catch(() => undefined)
}
