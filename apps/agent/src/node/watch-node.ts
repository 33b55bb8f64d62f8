import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readSysctl, writeSysctl } from '@core-dump-handler/sysctl'
import writeFileAtomic from 'write-file-atomic'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { exists, missingFiles, wasRemoved } from './node-files.ts'
import type { PreparedNode } from './prepare-node.ts'
import { CORE_PATTERN, hostDirOf } from './sysctls.ts'

const LOOK_MS = 2000

export interface Watcher {
  /** Each change by somebody else, once. */
  onTampering(sysctl: string): void
  /** Whenever that differs: the sysctls and files that are not ours now; empty when all are again. */
  onForeign(names: readonly string[]): void
}

/**
 * Notice that somebody else changed one of our sysctls or deleted our files: said, counted, and put
 * back where the settings say so. Resolves when aborted, when `remove` has given the node back, or
 * with `deleted` when the node must be prepared again: the preStop of version 9 may come after us.
 */
export async function guardNode(
  settings: AgentSettings,
  { sysctls, backups }: PreparedNode,
  log: Log,
  signal: AbortSignal,
  watcher: Watcher,
): Promise<'aborted' | 'removed' | 'deleted'> {
  const { hostDir, sysctlRoot: root, tamper } = settings
  const known = new Map<string, string>(Object.entries(sysctls))
  let missing: readonly string[] = []
  const tellForeign = (): void => {
    const foreign = [...known.keys()].filter((key) => known.get(key) !== sysctls[key])
    watcher.onForeign([...foreign, ...missing])
  }
  while (!signal.aborted) {
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    // before the sysctls: a pattern that points to nothing is worse than somebody else's
    const gone = await missingFiles(hostDir)
    if (!signal.aborted && gone.join() !== missing.join()) {
      if (gone.length > 0 && (await saidRemoved(hostDir, log))) return 'removed'
      missing = gone
      tellForeign()
      if (gone.length > 0) {
        log.warn({ hostDir, missing: gone }, 'files of ours were deleted by somebody else')
        if (tamper === 'restore') {
          await keepBackups(hostDir, backups)
          return 'deleted'
        }
      }
    }
    for (const [key, expected] of Object.entries(sysctls)) {
      const found = await readSysctl(key, { root }).catch(() => undefined)
      if (signal.aborted || found === undefined || found === known.get(key)) continue
      known.set(key, found)
      if (found !== expected) {
        if (await saidRemoved(hostDir, log)) return 'removed'
        // two agents that put their own pattern back would never end
        const rival = key === CORE_PATTERN ? hostDirOf(found) : undefined
        const restored =
          tamper === 'restore' &&
          rival === undefined &&
          (await restore(key, expected, settings, backups, log))
        if (restored) known.set(key, expected)
        log.warn({ sysctl: key, found, expected, restored }, 'sysctl changed by somebody else')
        watcher.onTampering(key)
      }
      tellForeign()
    }
  }
  return 'aborted'
}

async function saidRemoved(hostDir: string, log: Log): Promise<boolean> {
  const removed = await wasRemoved(hostDir)
  if (removed) log.info('`remove` gave this node back')
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
    log.error({ sysctl: key, err }, 'cannot put our value back')
    return false
  }
}

/** What the node had before us, where whoever tampered with it deleted that too. */
async function keepBackups(hostDir: string, backups: PreparedNode['backups']): Promise<void> {
  for (const [key, value] of Object.entries(backups)) {
    const path = join(hostDir, `${key.split('.').at(-1)}.bak`)
    if (!(await exists(path))) await writeFileAtomic(path, value, { mode: 0o600 })
  }
}
