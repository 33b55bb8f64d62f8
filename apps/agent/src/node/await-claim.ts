import { setTimeout as sleep } from 'node:timers/promises'
import { readSysctl } from '@core-dump-handler/sysctl'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/settings.ts'
import { claimNode, claimPath } from './claim-node.ts'
import { CORE_PATTERN, hostDirOf } from './sysctls.ts'

const RETRY_MS = 1000

/**
 * Wait until no other living agent has this HOST_DIR, nor the one the core pattern points to:
 * two on one node would fight over the pattern. Resolves with the way to let go; never if aborted.
 */
export async function awaitClaim(
  settings: Pick<AgentSettings, 'hostDir' | 'sysctlRoot'>,
  log: Log,
  signal: AbortSignal,
  onTaken: (detail: string) => void,
): Promise<() => void> {
  for (let said = ''; ; await sleep(RETRY_MS, undefined, { signal })) {
    const taken = await takenBy(settings)
    const claim: ReturnType<typeof claimNode> =
      taken === undefined ? claimNode(settings) : { outcome: 'taken', on: taken }
    if (claim.outcome === 'claimed') return claim.release
    if (claim.outcome === 'unknown') {
      log.warn({ reason: claim.reason }, 'cannot tell whether another agent runs on this node')
      return () => undefined
    }
    const held = claim.on ?? settings.hostDir
    if (held !== said) {
      log.warn({ held }, 'another agent is at work on this node; waiting until it has ended')
      onTaken(`another agent is at work on this node: it holds \`${held}\``)
      said = held
    }
  }
}

/** HOST_DIR of a living agent other than ours that holds the core pattern. */
async function takenBy({
  hostDir,
  sysctlRoot,
}: Pick<AgentSettings, 'hostDir' | 'sysctlRoot'>): Promise<string | undefined> {
  const pattern = await readSysctl(CORE_PATTERN, { root: sysctlRoot })
  const other = hostDirOf(pattern)
  if (other === undefined || other === hostDir) return undefined
  const claim = claimPath(other)
  if (claim.outcome === 'claimed') claim.release()
  return claim.outcome === 'taken' ? other : undefined
}
