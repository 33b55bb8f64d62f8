import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { SCRATCH_PREFIX } from './scratch.ts'

export const CORE_SYSCTLS = [
  'kernel.core_pattern',
  'kernel.core_pipe_limit',
  'fs.suid_dumpable',
] as const

export type CoreSysctls = Record<(typeof CORE_SYSCTLS)[number], string>

const GUARD = new URL('./kernel-guard.sh', import.meta.url).pathname
const LOCK = join(tmpdir(), 'core-dump-handler.kernel.lock')

/** What the kernel does with core dumps right now. */
export function coreSysctls(): CoreSysctls {
  const values = CORE_SYSCTLS.map((key) => [key, readFileSync(path(key), 'utf8').trimEnd()])
  return Object.fromEntries(values) as CoreSysctls
}

/** Set one of them; only while the kernel is ours. */
export function setCoreSysctl(key: keyof CoreSysctls, value: string): void {
  writeFileSync(path(key), `${value}\n`)
}

/**
 * Have the kernel's core dump settings to ourselves while `task` runs.
 * They are one for the whole machine: others wait for the same lock. A process of its own holds it and
 * puts the values back, so that neither a failing test nor `kill -9` leaves a pattern behind; and it
 * ends the containers of a test that was killed, since an agent in one would take the kernel again.
 */
export async function withKernel<T>(task: (before: CoreSysctls) => Promise<T>): Promise<T> {
  const guard = spawn('/bin/sh', [GUARD, LOCK, SCRATCH_PREFIX], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(guard, 'exit')
  const [line] = await Promise.race([once(createInterface(guard.stdout), 'line'), ended])
  if (line !== 'locked')
    throw new Error(`Cannot lock ${LOCK}: the guard ended with ${String(line)}`)
  const before = coreSysctls()
  try {
    return await task(before)
  } finally {
    guard.stdin.end('done')
    await ended
  }
}

function path(key: string): string {
  return `/proc/sys/${key.replace('.', '/')}`
}
