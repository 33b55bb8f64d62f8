import { corePattern } from '@core-dump-handler/composer'
import { AgentError } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import {
  CORE_PATTERN,
  CORE_PIPE_LIMIT,
  hostDirOf,
  PIPE_LIMIT,
  readSysctls,
  socketPattern,
  type SysctlValues,
} from './sysctls.ts'

/**
 * The sysctls in force where this agent does not set the pattern (KERNEL_MANAGED_BY). Rejects with
 * what has to be set where crashes do not come to this agent.
 */
export async function checkSysctls(
  { hostDir, sysctlRoot, receiverMode, kernelManagedBy }: AgentSettings,
  log: Log,
): Promise<SysctlValues> {
  const found = await readSysctls(sysctlRoot)
  const pattern = found[CORE_PATTERN]
  const isPipe = hostDirOf(pattern) === hostDir && pattern.startsWith('|')
  const isSocket = pattern === socketPattern(hostDir)
  if (kernelManagedBy === 'init-container' && !isSocket) {
    throw new AgentError(
      'NODE_CONFIGURATION',
      `${CORE_PATTERN} is \`${pattern}\`, which the init container of this pod was to set to \`${socketPattern(hostDir)}\` (KERNEL_MANAGED_BY=init-container): another program has set it since; delete this pod, so that the init container runs again`,
    )
  }
  if (!isPipe && !(isSocket && receiverMode !== 'off')) {
    const pipe = `\`${corePattern(hostDir).pattern}\``
    const socket = `\`${socketPattern(hostDir)}\``
    const wanted = receiverMode === 'off' ? pipe : `${socket} for the receiver, or to ${pipe}`
    throw new AgentError(
      'NODE_CONFIGURATION',
      `${CORE_PATTERN} is \`${pattern}\`, which the configuration of this node sets (KERNEL_MANAGED_BY=node): set it there to ${wanted}`,
    )
  }
  if (isPipe && found[CORE_PIPE_LIMIT] === '0') {
    log.warn(
      { sysctl: CORE_PIPE_LIMIT, found: '0', expected: PIPE_LIMIT },
      'the kernel does not keep a crashed process for its composer: its owner cannot be proven; set this in the configuration of the node',
    )
  }
  return found
}
