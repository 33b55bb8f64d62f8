import { isSea } from 'node:sea'
import { deployComposer } from '../deploy/deploy-composer.ts'
import { AgentError } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { tryCanary } from './try-canary.ts'

/**
 * As `tryCanary`. Where SELinux denies executable memory to the helper that the kernel starts, the
 * composer is installed without JIT, which needs none but takes about a third longer, and tried again.
 * @throws AgentError `CANARY`
 */
export async function tryCanaryWithoutJit(
  settings: AgentSettings,
  pattern: string,
  signal: AbortSignal,
  isDelivered: (canary: string) => boolean,
  log: Log,
): Promise<boolean> {
  try {
    return await tryCanary(settings, pattern, signal, isDelivered)
  } catch (error) {
    const isDenied = error instanceof AgentError && error.code === 'EXECUTABLE_MEMORY'
    // a script runs by the Node of the machine, whose options are not ours
    if (!isDenied || !isSea()) throw error
    log.warn(
      { reason: error.message },
      'SELinux denies executable memory to the composer: it is installed without JIT, and is slower',
    )
    await deployComposer(settings.hostDir, { jit: false })
    return tryCanary(settings, pattern, signal, isDelivered)
  }
}
