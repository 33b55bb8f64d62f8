import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readSysctl, writeSysctl } from '@core-dump-handler/sysctl'
import writeFileAtomic from 'write-file-atomic'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { exists, missingFiles, wasRemoved } from './node-files.ts'
import type { PreparedNode } from './prepare-node.ts'
import { CORE_PATTERN, hostDirOf, socketPattern } from './sysctls.ts'

const LOOK_MS = 2000

export interface NodeListeners {
  /** Each change of one of our sysctls by another program, once. */
  onDrift(sysctl: string): void
  /** Each time the list changes: the sysctls and files that are not ours now; empty when all are ours again. */
  onChanged(names: readonly string[]): void
}

/**
 * Notices that another program changed one of our sysctls or deleted our files: logs and counts it,
 * and restores ours where the settings ask for that. Resolves when aborted, when `remove` has
 * restored the node, or with `deleted` when the node must be prepared again: the preStop of version
 * 9 may run after our start.
 */
export async function watchNode(
  settings: AgentSettings,
  { sysctls, backups }: PreparedNode,
  log: Log,
  signal: AbortSignal,
  listeners: NodeListeners,
): Promise<'aborted' | 'removed' | 'deleted'> {
  const { hostDir, sysctlRoot: root, tamper } = settings
  const known = new Map<string, string>(Object.entries(sysctls))
  let missing: readonly string[] = []
  const reportChanged = (): void => {
    const changed = [...known.keys()].filter((key) => known.get(key) !== sysctls[key])
    listeners.onChanged([...changed, ...missing])
  }
  while (!signal.aborted) {
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    // before the sysctls: a pattern that points to nothing is worse than another program's
    const gone = await missingFiles(hostDir)
    if (!signal.aborted && gone.join() !== missing.join()) {
      if (gone.length > 0 && (await isRemoved(hostDir, log))) return 'removed'
      missing = gone
      reportChanged()
      if (gone.length > 0) {
        log.warn({ hostDir, missing: gone }, 'another program deleted files of this agent')
        if (tamper === 'restore') {
          await keepBackups(hostDir, backups)
          return 'deleted'
        }
      }
    }
    for (const [key, expected] of Object.entries(sysctls)) {
      const inForce = await readSysctl(key, { root }).catch(() => undefined)
      const isReceiver = key === CORE_PATTERN && inForce === socketPattern(hostDir)
      const found = isReceiver ? expected : inForce
      if (signal.aborted || found === undefined || found === known.get(key)) continue
      known.set(key, found)
      if (found !== expected) {
        if (await isRemoved(hostDir, log)) return 'removed'
        // two agents that restore their own pattern would never end
        const otherAgent = key === CORE_PATTERN ? hostDirOf(found) : undefined
        const restored =
          tamper === 'restore' &&
          otherAgent === undefined &&
          (await restore(key, expected, settings, backups, log))
        if (restored) known.set(key, expected)
        log.warn({ sysctl: key, found, expected, restored }, 'sysctl changed by another program')
        listeners.onDrift(key)
      }
      reportChanged()
    }
  }
  return 'aborted'
}

async function isRemoved(hostDir: string, log: Log): Promise<boolean> {
  const removed = await wasRemoved(hostDir)
  if (removed) log.info('`remove` has restored this node')
  return removed
}

async function restore(
  key: string,
  value: string,
  { hostDir, sysctlRoot: root }: AgentSettings,
  backups: PreparedNode['backups'],
  log: Log,
): Promise<boolean> {
  try {
    await keepBackups(hostDir, backups)
    await writeSysctl(key, value, { root })
    return true
  } catch (err) {
    log.error({ sysctl: key, err }, 'cannot restore our value of a sysctl')
    return false
  }
}

/** What the node had before us, where the other program deleted that too. */
async function keepBackups(hostDir: string, backups: PreparedNode['backups']): Promise<void> {
  for (const [key, value] of Object.entries(backups)) {
    const path = join(hostDir, `${key.split('.').at(-1)}.bak`)
    if (!(await exists(path))) await writeFileAtomic(path, value, { mode: 0o600 })
  }
}
