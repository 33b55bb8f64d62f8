import { readdirSync, readFileSync } from 'node:fs'

/** A composer that runs. */
export interface Composer {
  readonly pid: number
  /** Pid of the process that crashed. */
  readonly hostPid: number
}

/** Composers that run from below `hostDir`, by the arguments that the kernel gave them. */
export function composersOf(hostDir: string): Composer[] {
  return processesOf(hostDir).flatMap((pid) => {
    const hostPid = /-P=(\d+)/.exec(readIfThere(`/proc/${pid}/cmdline`))?.[1]
    return hostPid ? [{ pid, hostPid: Number(hostPid) }] : []
  })
}

/** Processes with an argument that names something below `directory`, this one excepted. */
export function processesOf(directory: string): number[] {
  return processes((pid) => mentions(pid, directory))
}

/** Those, and processes whose root is an image below `directory`: containers that outlived their runtime. */
export function everyProcessOf(directory: string): number[] {
  return processes((pid) => mentions(pid, directory) || isRootedIn(pid, directory))
}

/** Kill every process of `directory`; returns at once, they may take a moment to end. */
export function killProcessesOf(directory: string): void {
  for (const pid of everyProcessOf(directory)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}

function processes(wanted: (pid: number) => boolean): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid && pid !== process.pid && wanted(pid))
}

function mentions(pid: number, directory: string): boolean {
  return readIfThere(`/proc/${pid}/cmdline`).includes(`${directory}/`)
}

function isRootedIn(pid: number, directory: string): boolean {
  const mounts = readIfThere(`/proc/${pid}/mountinfo`).split('\n')
  const root = mounts.find((line) => line.split(' ')[4] === '/')
  return root?.includes(`=${directory}/`) ?? false
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has ended
  }
}

/** What a process has passed to write(2) and the like, proc_pid_io(5). */
export function writtenBytes(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1])
}
