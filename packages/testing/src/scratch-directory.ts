import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'cdh-'
// the pid of the test run: its workers end before it, so a later run finds what no process owns
const OWNER = process.env['VITEST_POOL_ID'] ? process.ppid : process.pid

/** What every scratch directory of this run begins with. */
export const SCRATCH_PREFIX: string = join(tmpdir(), `${PREFIX}${OWNER}-`)

/** A new directory with a short path: a socket's path ends at 107 bytes, `core_pattern` at 127. */
export function scratchDirectory(): string {
  return mkdtempSync(SCRATCH_PREFIX)
}

/** Unmount what is mounted below `directory`, and remove it. */
export function removeScratch(directory: string): void {
  for (const mount of mountsBelow(directory).toReversed()) execFileSync('umount', ['-l', mount])
  rmSync(directory, { recursive: true, force: true })
}

/** Mount points below `directory`, in the order in which they were mounted. */
export function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mount) => mount === directory || mount.startsWith(`${directory}/`))
}

/** Scratch directories of runs that have ended. */
export function staleScratch(): string[] {
  return scratchDirectories((owner) => !isAlive(owner))
}

/** Scratch directories that the run with the pid `owner` has not removed. */
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
