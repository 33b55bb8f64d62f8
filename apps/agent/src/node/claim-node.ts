import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { sysctlPath } from '@core-dump-handler/sysctl'
import type { AgentSettings } from '../settings/settings.ts'
import { CORE_PATTERN } from './sysctls.ts'

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
