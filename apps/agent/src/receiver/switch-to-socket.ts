import writeFileAtomic from 'write-file-atomic'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { corePattern } from '@core-dump-handler/composer'
import { readSysctl } from '@core-dump-handler/sysctl'
import { newCanary } from '../canary/let-crash.ts'
import { tryCanary } from '../canary/try-canary.ts'
import { AgentError } from '../error.ts'
import { nodeFiles } from '../node/node-files.ts'
import type { Attempt } from '../node/prepare-node.ts'
import { CORE_PATTERN, socketPattern } from '../node/sysctls.ts'
import type { AgentSettings } from '../settings/read-settings.ts'

const TIMEOUT_MS = 5000
const LOOK_MS = 10

/**
 * Has the kernel connect to the receiver. A process outside of the initial mount namespace, such as
 * this one in a pod, may not write such a pattern: the composer may that the kernel starts for a
 * process of ours that crashes. A second one, through the socket, shows that it works.
 * @throws AgentError `CANARY`; the pattern may be either then
 */
export async function switchToSocket(
  settings: AgentSettings,
  { signal, isDelivered }: Attempt,
): Promise<void> {
  const { hostDir } = settings
  const { receiverRequest } = nodeFiles(hostDir)
  const wanted = socketPattern(hostDir)
  const canary = newCanary()
  await writeFileAtomic(receiverRequest, `${canary}\n${wanted}\n`, { mode: 0o600 })
  try {
    await tryCanary(settings, corePattern(hostDir).pattern, signal, isDelivered, canary)
    let found = ''
    for (let waited = 0; waited < TIMEOUT_MS && !signal.aborted; waited += LOOK_MS) {
      found = await readSysctl(CORE_PATTERN)
      if (found === wanted) break
      await sleep(LOOK_MS)
    }
    if (found !== wanted && !signal.aborted) {
      throw new AgentError(
        'CANARY',
        'the composer that the kernel started could not write the pattern of the receiver; its log has the reason',
      )
    }
  } finally {
    await rm(receiverRequest, { force: true })
  }
  if (!(await tryCanary(settings, wanted, signal, isDelivered)) && !signal.aborted) {
    throw new AgentError('CANARY', 'the pattern was changed while the receiver was tried')
  }
}
