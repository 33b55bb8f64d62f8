import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { AgentSettings } from '../settings/read-settings.ts'

const CORE_MODES = '/proc/sys/kernel/core_modes'

/** Why this kernel cannot connect to a receiver; undefined where it may. */
export function whyNoSocket({ sysctlRoot }: Pick<AgentSettings, 'sysctlRoot'>): string | undefined {
  if (sysctlRoot !== '/proc/sys' && !sysctlRoot.endsWith('/proc/sys')) {
    return `the sysctls in \`${sysctlRoot}\` are not those of this kernel`
  }
  try {
    const modes = readFileSync(CORE_MODES, 'utf8').split('\n')
    return modes.includes('socket')
      ? undefined
      : `this kernel, ${release()}, has no coredump sockets, only ${modes.filter(Boolean).join(', ')} (core_modes)`
  } catch {
    return `this kernel, ${release()}, has no coredump sockets: they came with Linux 6.17`
  }
}
