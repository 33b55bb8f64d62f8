import { setTimeout as sleep } from 'node:timers/promises'
import { readSysctl, writeSysctl } from '@core-dump-handler/sysctl'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/settings.ts'
import { wasRemoved } from './node-files.ts'
import { CORE_PATTERN, hostDirOf } from './sysctls.ts'

const LOOK_MS = 2000

export interface Watcher {
  /** Each change by somebody else, once. */
  onTampering(sysctl: string): void
  /** Whenever that differs: the sysctls that are not ours now; empty when all are again. */
  onForeign(sysctls: readonly string[]): void
}

/**
 * Notice that somebody else changed one of our sysctls: said, counted, and put back where the
 * settings say so. Ends when aborted, or when `remove` has given the node back.
 */
export async function guardSysctls(
  { hostDir, sysctlRoot: root, tamper }: AgentSettings,
  values: Readonly<Record<string, string>>,
  log: Log,
  signal: AbortSignal,
  watcher: Watcher,
): Promise<void> {
  const known = new Map<string, string>(Object.entries(values))
  const foreign = (): string[] => [...known.keys()].filter((key) => known.get(key) !== values[key])
  while (!signal.aborted) {
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    for (const [key, expected] of Object.entries(values)) {
      const found = await readSysctl(key, { root }).catch(() => undefined)
      if (signal.aborted || found === undefined || found === known.get(key)) continue
      known.set(key, found)
      if (found === expected) {
        watcher.onForeign(foreign())
        continue
      }
      if (await wasRemoved(hostDir)) return log.info('`remove` gave this node back')

      // two agents that put their own pattern back would never end
      const rival = key === CORE_PATTERN ? hostDirOf(found) : undefined
      const restored =
        tamper === 'restore' && rival === undefined && (await restore(key, expected, root, log))
      if (restored) known.set(key, expected)
      log.warn({ sysctl: key, found, expected, restored }, 'sysctl changed by somebody else')
      watcher.onTampering(key)
      watcher.onForeign(foreign())
    }
  }
}

async function restore(key: string, value: string, root: string, log: Log): Promise<boolean> {
  try {
    await writeSysctl(key, value, { root })
    return true
  } catch (err) {
    log.error({ sysctl: key, err }, 'cannot put our value back')
    return false
  }
}
