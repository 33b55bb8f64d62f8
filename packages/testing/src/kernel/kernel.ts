import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { SCRATCH_PREFIX } from '../scratch-directory.ts'

export const CORE_SYSCTLS = [
  'kernel.core_pattern',
  'kernel.core_pipe_limit',
  'fs.suid_dumpable',
] as const

export type CoreSysctls = Record<(typeof CORE_SYSCTLS)[number], string>

const GUARD = new URL('./kernel-guard.sh', import.meta.url).pathname
const LOCK = join(tmpdir(), 'core-dump-handler.kernel.lock')

/** The kernel's core dump settings now. */
export function coreSysctls(): CoreSysctls {
  return {
    'kernel.core_pattern': readSysctl('kernel.core_pattern'),
    'kernel.core_pipe_limit': readSysctl('kernel.core_pipe_limit'),
    'fs.suid_dumpable': readSysctl('fs.suid_dumpable'),
  }
}

/** Set all of them; only inside {@link withKernel}. */
export function setCoreSysctls(values: CoreSysctls): void {
  for (const key of CORE_SYSCTLS) setCoreSysctl(key, values[key])
}

/** Set one of them; only inside {@link withKernel}. */
export function setCoreSysctl(key: keyof CoreSysctls, value: string): void {
  writeFileSync(path(key), `${value}\n`)
}

/**
 * Lock the kernel's core dump settings while `task` runs, and restore them.
 * The whole machine shares them, so other test runs wait for the same lock. A separate process holds it
 * and restores the values, so that neither a failing test nor `kill -9` leaves a pattern behind. It also
 * ends the containers of a killed test, since an agent in one would set the pattern again.
 */
export async function withKernel<T>(task: (before: CoreSysctls) => Promise<T>): Promise<T> {
  const guard = spawn('/bin/sh', [GUARD, LOCK, SCRATCH_PREFIX], {
    // it outlives this process, and restores the settings when its stdin ends
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(guard, 'exit')
  const [line] = await Promise.race([once(createInterface(guard.stdout), 'line'), ended])
  if (line !== 'locked')
    throw new Error(`Cannot lock ${LOCK}: kernel-guard.sh ended with ${String(line)}`)
  const before = coreSysctls()
  try {
    return await task(before)
  } finally {
    guard.stdin.end('done')
    await ended
  }
}

function readSysctl(key: string): string {
  return readFileSync(path(key), 'utf8').trimEnd()
}

function path(key: string): string {
  return `/proc/sys/${key.replace('.', '/')}`
}

/** Why this machine's core dump settings cannot be changed; undefined when they can. */
export function whyNoKernel(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid?.() !== 0) return 'only root can set kernel.core_pattern'
  try {
    accessSync('/proc/sys/kernel/core_pattern', constants.W_OK)
    return undefined
  } catch (error) {
    return `kernel.core_pattern cannot be written: ${String(error)}`
  }
}
