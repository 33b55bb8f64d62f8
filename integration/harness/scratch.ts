import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'cdh-'
// of the test run, whose workers end before it: so a later run knows what is nobody's any more
const OWNER = process.env['VITEST_POOL_ID'] ? process.ppid : process.pid

/** What every scratch directory of this run begins with. */
export const SCRATCH_PREFIX: string = join(tmpdir(), `${PREFIX}${OWNER}-`)

/** A new directory with a short path: sockets and `core_pattern` have no room for a long one. */
export function scratchDirectory(): string {
  return mkdtempSync(SCRATCH_PREFIX)
}

/** Remove it with whatever is still mounted below. */
export function removeScratch(directory: string): void {
  for (const mount of mountsBelow(directory).toReversed()) execFileSync('umount', ['-l', mount])
  rmSync(directory, { recursive: true, force: true })
}

/** Mount points below `directory`, in the order they were made. */
export function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mount) => mount.startsWith(directory))
}

/** Scratch directories of runs that live no longer. */
export function staleScratch(): string[] {
  return scratchDirectories((owner) => !alive(owner))
}

/** Scratch directories that the run `owner` has not removed. */
export function scratchOf(owner: number): string[] {
  return scratchDirectories((pid) => pid === owner)
}

function scratchDirectories(wanted: (owner: number) => boolean): string[] {
  return readdirSync(tmpdir())
    .filter((name) => {
      const owner = new RegExp(`^${PREFIX}(\\d+)-\\w{6}$`).exec(name)?.[1]
      return owner !== undefined && wanted(Number(owner))
    })
    .map((name) => join(tmpdir(), name))
}

/**
 * Processes of which one argument names something below `directory`, or whose root is an image
 * there: of containers that outlived their runtime. This one excepted.
 */
export function everyProcessOf(directory: string): number[] {
  return processes((pid) => mentions(pid, directory) || isRootedIn(pid, directory))
}

/** Kill every process of `directory`; resolves at once, they may take a moment. */
export function killProcessesOf(directory: string): void {
  for (const pid of everyProcessOf(directory)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Processes one of whose arguments names something below `directory`, this one excepted. */
export function processesOf(directory: string): number[] {
  return processes((pid) => mentions(pid, directory))
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

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
