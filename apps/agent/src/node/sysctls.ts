import { dirname, join, normalize } from 'node:path'
import { readSysctl } from '@core-dump-handler/sysctl'
import type { AgentSettings } from '../settings/read-settings.ts'

export const CORE_PATTERN = 'kernel.core_pattern'
export const CORE_PIPE_LIMIT = 'kernel.core_pipe_limit'
export const SUID_DUMPABLE = 'fs.suid_dumpable'
/** In HOST_DIR: where the receiver listens. */
export const RECEIVER_SOCKET = 'receiver.sock'
// above 0 the kernel keeps /proc/<pid> of the crashed process for us, core(5); version 9 set the same
export const PIPE_LIMIT = '128'

/**
 * In the order they are set, and restored from the end: a crash must find the limit together with the
 * pattern, and the kernel calls suid_dumpable 2 unsafe without a pipe in the pattern.
 */
export const SYSCTLS = [CORE_PIPE_LIMIT, CORE_PATTERN, SUID_DUMPABLE] as const

/** What the kernel starts with, core(5) and proc_sys_fs(5). */
export const KERNEL_DEFAULTS: SysctlValues = {
  [CORE_PIPE_LIMIT]: '0',
  [CORE_PATTERN]: 'core',
  [SUID_DUMPABLE]: '0',
}

/** The three values, in the order they are set. */
export function sysctlValues(
  { suidDumpable }: Pick<AgentSettings, 'suidDumpable'>,
  pattern: string,
): SysctlValues {
  return {
    [CORE_PIPE_LIMIT]: PIPE_LIMIT,
    [CORE_PATTERN]: pattern,
    [SUID_DUMPABLE]: suidDumpable,
  }
}

/** The pattern by which the kernel connects to the receiver, core(5). */
export function socketPattern(hostDir: string): string {
  return `@@${join(hostDir, RECEIVER_SOCKET)}`
}

// as version 9 and this agent begin it; the kernel keeps 127 bytes, which may end within the path
const OUR_PATTERN = /^\|(\/(?:\S*|.*?(?=\/cdc -c=%c))\/cdc)(?=\s|$)/
const CUT_PATTERN = /^\|(\/\S*\/(?:c|cd)?)$/
const SOCKET_PATTERN = /^@@(\/\S*\/receiver\.sock)$/
const MAX_PATTERN_BYTES = 127

/** HOST_DIR of the agent, of any version, that set this pattern; `undefined`: another program set it. */
export function hostDirOf(pattern: string): string | undefined {
  const isCut = Buffer.byteLength(pattern) >= MAX_PATTERN_BYTES
  const program =
    OUR_PATTERN.exec(pattern)?.[1] ??
    SOCKET_PATTERN.exec(pattern)?.[1] ??
    (isCut ? CUT_PATTERN.exec(pattern)?.[1] : undefined)
  if (program === undefined) return undefined
  // version 9 took HOST_DIR as it was written, with a slash at its end, too
  return normalize(program.endsWith('/') ? program : dirname(program)).replace(/(?<=.)\/$/, '')
}

/** Whether a value may be a backup: no pattern of an agent may, as its program is deleted with it. */
export function isBackup(key: string, value: string): boolean {
  return key !== CORE_PATTERN || hostDirOf(value) === undefined
}

/** Values in force, by sysctl. */
export type SysctlValues = Readonly<Record<SysctlName, string>>
export type SysctlName = (typeof SYSCTLS)[number]

export async function readSysctls(root: string): Promise<SysctlValues> {
  return {
    [CORE_PIPE_LIMIT]: await readSysctl(CORE_PIPE_LIMIT, { root }),
    [CORE_PATTERN]: await readSysctl(CORE_PATTERN, { root }),
    [SUID_DUMPABLE]: await readSysctl(SUID_DUMPABLE, { root }),
  }
}
