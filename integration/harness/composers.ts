import { readFileSync } from 'node:fs'
import { processesOf } from './scratch.ts'

/** A composer at work. */
export interface Composer {
  readonly pid: number
  /** Of the process that crashed. */
  readonly hostPid: number
}

/** Those that run from below `hostDir`, by what the kernel called them with. */
export function composersOf(hostDir: string): Composer[] {
  return processesOf(hostDir).flatMap((pid) => {
    const hostPid = /-P=(\d+)/.exec(commandLine(pid))?.[1]
    return hostPid ? [{ pid, hostPid: Number(hostPid) }] : []
  })
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return '' // it has ended
  }
}
