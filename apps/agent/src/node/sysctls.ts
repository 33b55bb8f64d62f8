import { dirname, join } from 'node:path'
import type { AgentSettings } from '../settings/read-settings.ts'

export const CORE_PATTERN = 'kernel.core_pattern'
/** In HOST_DIR: where the receiver listens. */
export const RECEIVER_SOCKET = 'receiver.sock'

/**
 * In the order they are set, and restored from the end: a crash must find the limit together with the
 * pattern, and the kernel calls suid_dumpable 2 unsafe without a pipe in the pattern.
 */
export const SYSCTLS = ['kernel.core_pipe_limit', CORE_PATTERN, 'fs.suid_dumpable'] as const

/** The three values, in the order they are set. */
export function sysctlValues(
  { suidDumpable }: Pick<AgentSettings, 'suidDumpable'>,
  pattern: string,
): Record<(typeof SYSCTLS)[number], string> {
  return {
    // above 0 the kernel keeps /proc/<pid> of the crashed process for us, core(5)
    'kernel.core_pipe_limit': '128',
    [CORE_PATTERN]: pattern,
    'fs.suid_dumpable': suidDumpable,
  }
}

/** The pattern by which the kernel connects to the receiver, core(5). */
export function socketPattern(hostDir: string): string {
  return `@@${join(hostDir, RECEIVER_SOCKET)}`
}

/** HOST_DIR of the agent, of any version, that set this pattern; `undefined`: another program set it. */
export function hostDirOf(pattern: string): string | undefined {
  const ours = /^\|(\/\S*\/cdc)(?=\s|$)|^@@(\/\S*\/receiver\.sock)$/.exec(pattern)
  const path = ours?.[1] ?? ours?.[2]
  return path === undefined ? undefined : dirname(path)
}
