import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where the files of the crashing thread are; of the process, where there is no such thread. */
export function threadDirectory(root: string, pid: number, tid: number): string {
  const process = join(root, String(pid))
  // a process whose first thread has ended has its memory, and on cgroup v1 its path, here only
  const task = join(process, 'task', String(tid))
  return tid !== pid && existsSync(task) ? task : process
}
