import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { readSysctl, sysctlPath } from '@core-dump-handler/sysctl'
import { messageOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { CORE_PATTERN, hostDirOf } from './sysctls.ts'

export type Lock =
  | { readonly outcome: 'locked'; readonly release: () => void }
  /** Another agent holds the lock on `path`. */
  | { readonly outcome: 'taken'; readonly path: string }
  /** It cannot be known whether another agent holds it; the reason. */
  | { readonly outcome: 'unknown'; readonly reason: string }

type LockedPaths = Pick<AgentSettings, 'hostDir' | 'sysctlRoot'>

const RETRY_MS = 1000

/**
 * Locks HOST_DIR and the core pattern itself for this agent until `release` or the end of the
 * process, however it ends. Two pods that see different directories of the node still mount the
 * same file of the same procfs, so the lock on the pattern keeps them apart.
 */
export async function lockNode({ hostDir, sysctlRoot }: LockedPaths): Promise<Lock> {
  const releases: (() => void)[] = []
  const release = (): void => releases.splice(0).forEach((each) => each())
  let unknown: Lock | undefined
  for (const path of [hostDir, sysctlPath(CORE_PATTERN, { root: sysctlRoot })]) {
    const lock = await lockPath(path)
    if (lock.outcome === 'locked') releases.push(lock.release)
    else if (lock.outcome === 'unknown') unknown = lock
    else {
      release()
      return lock
    }
  }
  // one of the two is enough: HOST_DIR may not exist yet
  return unknown !== undefined && releases.length === 0 ? unknown : { outcome: 'locked', release }
}

/**
 * Waits until no other running agent has locked this HOST_DIR, nor the one the core pattern points
 * to: two agents on one node would overwrite each other's pattern. Resolves with the release of the
 * lock; rejects when aborted.
 */
export async function waitForLock(
  settings: LockedPaths,
  log: Log,
  signal: AbortSignal,
  onTaken: (detail: string) => void,
): Promise<() => void> {
  for (let reported = ''; ; await sleep(RETRY_MS, undefined, { signal })) {
    const taken = await lockOfPattern(settings)
    const lock = taken ?? (await lockNode(settings))
    if (lock.outcome === 'locked') return lock.release
    if (lock.outcome === 'unknown') {
      log.warn({ reason: lock.reason }, 'cannot know whether another agent runs on this node')
      return () => undefined
    }
    const held = lock.path
    if (held !== reported) {
      log.warn({ held }, 'another agent is at work on this node; waiting until it has ended')
      onTaken(`another agent is at work on this node: it has locked \`${held}\``)
      reported = held
    }
  }
}

/** The lock of a running agent with another HOST_DIR that set the core pattern. */
async function lockOfPattern({ hostDir, sysctlRoot }: LockedPaths): Promise<Lock | undefined> {
  const pattern = await readSysctl(CORE_PATTERN, { root: sysctlRoot })
  const other = hostDirOf(pattern)
  if (other === undefined || other === hostDir) return undefined
  const lock = await lockPath(other)
  if (lock.outcome === 'locked') lock.release()
  return lock.outcome === 'taken' ? lock : undefined
}

/** Locks one file or directory. No file is left behind, and no lock can go stale. */
async function lockPath(path: string): Promise<Lock> {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    return { outcome: 'unknown', reason: messageOf(error) }
  }
  const result = await flock(fd)
  if (result.outcome === 'locked') return { outcome: 'locked', release: () => closeSync(fd) }
  closeSync(fd)
  return result.outcome === 'taken' ? { outcome: 'taken', path } : result
}

type FlockResult =
  | { readonly outcome: 'locked' }
  /** Another process has a lock on the file. */
  | { readonly outcome: 'taken' }
  /** It cannot be known; the reason. */
  | { readonly outcome: 'unknown'; readonly reason: string }

const TIMEOUT_MS = 5000

/**
 * Takes an exclusive flock(2) on an open file by util-linux or busybox `flock`, without waiting: Node
 * has no flock(2). The lock belongs to the open file, so it lasts until that is closed here and in
 * every child that has it.
 */
async function flock(fd: number): Promise<FlockResult> {
  try {
    // not by execa: its `stdio` does not accept an open file as descriptor 3
    const child = spawn('flock', ['-n', '-x', '3'], {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      timeout: TIMEOUT_MS,
    })
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve)
    })
    const [exitCode, stderr] = await Promise.all([
      ended,
      child.stderr === null ? '' : text(child.stderr),
    ])
    if (exitCode === 0) return { outcome: 'locked' }
    if (exitCode === 1 && stderr === '') return { outcome: 'taken' }
    return { outcome: 'unknown', reason: stderr.trim() || `flock ended with ${exitCode}` }
  } catch (error) {
    return { outcome: 'unknown', reason: messageOf(error) }
  }
}
