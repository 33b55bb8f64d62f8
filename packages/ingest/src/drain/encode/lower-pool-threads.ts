import { readdirSync, readFileSync } from 'node:fs'
import { setPriority } from 'node:os'

/** As libuv names the threads of its pool, and the kernel tells it: proc_pid_comm(5). */
const POOL_THREAD = 'libuv-worker\n'
const TASKS = '/proc/self/task'

/**
 * Gives the threads of libuv's pool that nice value, as far as they are there and known by name:
 * to Linux a thread's priority is its own, whatever nice(2) says of processes.
 */
export function lowerPoolThreads(nice: number): void {
  try {
    for (const thread of readdirSync(TASKS)) {
      if (readFileSync(`${TASKS}/${thread}/comm`, 'latin1') !== POOL_THREAD) continue
      setPriority(Number(thread), nice)
    }
  } catch {
    // no /proc, or already lower than that: a priority is never a reason to fail
  }
}
