import { setTimeout as sleep } from 'node:timers/promises'
import { renewBackup, writeSysctl } from '@core-dump-handler/sysctl'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { missingFiles, wasRemoved } from './node-files.ts'
import type { PreparedNode } from './prepare-node.ts'
import {
  CORE_PATTERN,
  CORE_PIPE_LIMIT,
  hostDirOf,
  isBackup,
  ownership,
  readSysctls,
  socketPattern,
  type SysctlName,
  SYSCTLS,
  type SysctlValues,
} from './sysctls.ts'

const LOOK_MS = 2000

export interface NodeListeners {
  /** Each change of one of our sysctls by another program, once. */
  onDrift(sysctl: string): void
  /** Each time the list changes: the sysctls and files that are not ours now; empty when all are ours again. */
  onChanged(names: readonly string[]): void
}

export type WatchEnd = 'aborted' | 'removed' | 'deleted'

/**
 * Notices that another program changed one of our sysctls or deleted our files: logs and counts it,
 * keeps the value that it set for `remove`, and restores ours where the settings ask for that.
 * Resolves when aborted, when `remove` has restored the node, or with `deleted` when the node must be
 * prepared again: the preStop of version 9 may run after our start.
 */
export async function watchNode(
  settings: AgentSettings,
  node: PreparedNode,
  log: Log,
  signal: AbortSignal,
  listeners: NodeListeners,
): Promise<WatchEnd> {
  const watch = new NodeWatch(settings, node, log, listeners)
  while (!signal.aborted) {
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) break
    // before the sysctls: a pattern that points to nothing is worse than another program's
    const end = (await watch.lookAtFiles()) ?? (await watch.lookAtSysctls(signal))
    if (end !== undefined) return end
  }
  return 'aborted'
}

class NodeWatch {
  readonly #settings: AgentSettings
  readonly #expected: SysctlValues
  readonly #log: Log
  readonly #listeners: NodeListeners
  /** What `remove` will restore. */
  readonly #backups: Map<string, string>
  readonly #known: Map<SysctlName, string>
  #missing: readonly string[] = []

  constructor(
    settings: AgentSettings,
    { sysctls, backups }: PreparedNode,
    log: Log,
    listeners: NodeListeners,
  ) {
    this.#settings = settings
    this.#expected = sysctls
    this.#log = log
    this.#listeners = listeners
    this.#backups = new Map(Object.entries(backups))
    this.#known = new Map(SYSCTLS.map((key) => [key, sysctls[key]]))
  }

  async lookAtFiles(): Promise<WatchEnd | undefined> {
    const { hostDir, tamper } = this.#settings
    const gone = await missingFiles(hostDir)
    if (gone.join() === this.#missing.join()) return undefined
    if (gone.length > 0 && (await this.#isRemoved())) return 'removed'
    this.#missing = gone
    this.#reportChanged()
    if (gone.length === 0) return undefined
    this.#log.warn({ hostDir, missing: gone }, 'another program deleted files of this agent')
    if (tamper !== 'restore') return undefined
    await this.#keepBackups()
    return 'deleted'
  }

  async lookAtSysctls(signal: AbortSignal): Promise<WatchEnd | undefined> {
    const inForce = await readSysctls(this.#settings.sysctlRoot).catch(() => undefined)
    if (inForce === undefined || signal.aborted) return undefined
    const found = this.#withoutReceiver(inForce)
    const changed = SYSCTLS.filter((key) => found[key] !== this.#known.get(key))
    if (changed.length === 0) return undefined
    const drifted = changed.filter((key) => found[key] !== this.#expected[key])
    if (drifted.length > 0 && (await this.#isRemoved())) return 'removed'
    if (this.#settings.kernelManagedBy !== 'node') await this.#renewBackups(found, drifted)
    for (const key of changed) {
      this.#known.set(key, found[key])
      if (drifted.includes(key)) await this.#onDrift(key, found[key])
    }
    this.#reportChanged()
    return undefined
  }

  /** The values that another program has set are what `remove` restores, and not those of before. */
  async #renewBackups(found: SysctlValues, drifted: readonly SysctlName[]): Promise<void> {
    if (hostDirOf(found[CORE_PATTERN]) !== undefined && drifted.includes(CORE_PATTERN)) return
    const set = new Map(SYSCTLS.map((key) => [key, new Set([this.#expected[key]])]))
    const isOurs = ownership(found, { set, first: this.#backups })
    // both changed at once: so has that program set the third, also where it is the same as ours
    const all =
      ([CORE_PATTERN, CORE_PIPE_LIMIT] as const).every((key) => drifted.includes(key)) &&
      !SYSCTLS.some((key) => isOurs(key))
    for (const key of all ? SYSCTLS : drifted) {
      const { hostDir } = this.#settings
      try {
        if (await renewBackup(key, found[key], { backupDir: hostDir, isBackup })) {
          this.#backups.set(key, found[key])
        }
      } catch (err) {
        this.#log.error({ sysctl: key, err }, 'cannot keep the value of another program')
      }
    }
  }

  async #onDrift(key: SysctlName, found: string): Promise<void> {
    const expected = this.#expected[key]
    // two agents that restore their own pattern would never end
    const otherAgent = key === CORE_PATTERN ? hostDirOf(found) : undefined
    const restored =
      this.#settings.kernelManagedBy === 'agent' &&
      this.#settings.tamper === 'restore' &&
      otherAgent === undefined &&
      (await this.#restore(key, expected))
    if (restored) this.#known.set(key, expected)
    const backup = this.#backups.get(key)
    this.#log.warn(
      { sysctl: key, found, expected, restored, backup },
      'sysctl changed by another program',
    )
    this.#listeners.onDrift(key)
  }

  async #restore(key: SysctlName, value: string): Promise<boolean> {
    try {
      await this.#keepBackups()
      await writeSysctl(key, value, { root: this.#settings.sysctlRoot })
      return true
    } catch (err) {
      this.#log.error({ sysctl: key, err }, 'cannot restore our value of a sysctl')
      return false
    }
  }

  /** The pattern of our receiver counts as ours: the receiver's own watch keeps and ends it. */
  #withoutReceiver(found: SysctlValues): SysctlValues {
    if (found[CORE_PATTERN] !== socketPattern(this.#settings.hostDir)) return found
    return { ...found, [CORE_PATTERN]: this.#expected[CORE_PATTERN] }
  }

  /** Also where another program deleted them. */
  async #keepBackups(): Promise<void> {
    for (const [key, value] of this.#backups) {
      await renewBackup(key, value, { backupDir: this.#settings.hostDir, isBackup })
    }
  }

  #reportChanged(): void {
    const changed = SYSCTLS.filter((key) => this.#known.get(key) !== this.#expected[key])
    this.#listeners.onChanged([...changed, ...this.#missing])
  }

  async #isRemoved(): Promise<boolean> {
    const removed = await wasRemoved(this.#settings.hostDir)
    if (removed) this.#log.info('`remove` has restored this node')
    return removed
  }
}
