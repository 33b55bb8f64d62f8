import { dirname } from 'node:path'
import type { AgentSettings } from '../settings/settings.ts'

export const CORE_PATTERN = 'kernel.core_pattern'

/** The pattern last: nothing may reach the composer before the other two hold. */
export const SYSCTLS = ['fs.suid_dumpable', 'kernel.core_pipe_limit', CORE_PATTERN] as const

/** The three values, in the order they are set. */
export function sysctlValues(
  { suidDumpable }: Pick<AgentSettings, 'suidDumpable'>,
  pattern: string,
): Record<(typeof SYSCTLS)[number], string> {
  return {
    'fs.suid_dumpable': suidDumpable,
    // above 0 the kernel keeps /proc/<pid> of the crashed process for us, core(5)
    'kernel.core_pipe_limit': '128',
    [CORE_PATTERN]: pattern,
  }
}

/** HOST_DIR of the agent, of any version, that set this pattern; `undefined`: a stranger's. */
export function hostDirOf(pattern: string): string | undefined {
  const program = /^\|(\/\S*\/cdc)(?=\s|$)/.exec(pattern)?.[1]
  return program === undefined ? undefined : dirname(program)
}
