import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const PATTERN = '/proc/sys/kernel/core_pattern'
const WAIT_MS = 180_000
const RUN_MS = 60_000

export interface CrashOptions {
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Runs a program in `directory` until it crashes, and returns the path of the core that the kernel wrote.
 * It waits until the pattern of the kernel is `core`: another test may hold it for a while.
 */
export async function crashCore(
  directory: string,
  command: readonly string[],
  { env = {} }: CrashOptions = {},
): Promise<string> {
  const path = join(directory, 'core')
  const deadline = Date.now() + WAIT_MS
  while (Date.now() < deadline) {
    if (readFileSync(PATTERN, 'utf8').trim() === 'core') {
      rmSync(path, { force: true })
      await run(directory, command, env)
      if (existsSync(path) && statSync(path).size > 0) return path
    }
    await sleep(200)
  }
  throw new Error(
    `No core of ${command[0]} after ${WAIT_MS / 1000} s: kernel.core_pattern is ${readFileSync(PATTERN, 'utf8').trim()}`,
  )
}

function run(
  directory: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const child = spawn('sh', ['-c', 'ulimit -c unlimited; exec "$@"', 'sh', ...command], {
    cwd: directory,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], ...env },
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
