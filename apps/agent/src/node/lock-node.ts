import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { readSysctl, sysctlPath } from '@core-dump-handler/sysctl'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { CORE_PATTERN, hostDirOf } from './sysctls.ts'

export type Claim =
  | { readonly outcome: 'claimed'; readonly release: () => void }
  | { readonly outcome: 'taken' }
  /** Nobody could be asked; the reason. */
  | { readonly outcome: 'unknown'; readonly reason: string }

type ClaimedPlaces = Pick<AgentSettings, 'hostDir' | 'sysctlRoot'>

/**
 * Hold HOST_DIR and the core pattern itself for this agent alone until `release` or the end of the
 * process, however it ends. Two pods that see different directories of the node still mount the
 * same file of the same procfs, and so meet at the pattern.
 */
export function claimNode({
  hostDir,
  sysctlRoot,
}: ClaimedPlaces): Claim & { readonly on?: string } {
  const releases: (() => void)[] = []
  const release = (): void => releases.splice(0).forEach((each) => each())
  let unknown: Extract<Claim, { outcome: 'unknown' }> | undefined
  for (const on of [hostDir, sysctlPath(CORE_PATTERN, { root: sysctlRoot })]) {
    const claim = claimPath(on)
    if (claim.outcome === 'claimed') releases.push(claim.release)
    else if (claim.outcome === 'unknown') unknown = claim
    else {
      release()
      return { ...claim, on }
    }
  }
  // one of the two is enough to meet at: HOST_DIR may not be there yet
  return unknown !== undefined && releases.length === 0 ? unknown : { outcome: 'claimed', release }
}

/**
 * Hold one file or directory: util-linux `flock` puts the lock on our open descriptor. No file is
 * left, none can go stale.
 */
export function claimPath(path: string): Claim {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    return { outcome: 'unknown', reason: String(error) }
  }
  // Node has no flock(2); the lock belongs to the open file, so it outlives the program that took it
  const { status, error, stderr } = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    timeout: 5000,
  })
  if (status === 0) return { outcome: 'claimed', release: () => closeSync(fd) }
  closeSync(fd)
  return status === 1 && error === undefined && stderr.length === 0
    ? { outcome: 'taken' }
    : { outcome: 'unknown', reason: error ? String(error) : stderr.toString().trim() }
}

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
