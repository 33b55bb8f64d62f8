import { join } from 'node:path'
import { restore, type RestoreResult } from '@core-dump-handler/sysctl'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { exists } from './node-files.ts'
import {
  CORE_PATTERN,
  hostDirOf,
  isBackup,
  KERNEL_DEFAULTS,
  ownership,
  readSysctlRecord,
  readSysctls,
  SYSCTLS,
} from './sysctls.ts'

/** What became of the three sysctls. */
export interface RestoredSysctls {
  /** Names of the sysctls, and of the backups, that could not be restored. */
  readonly failed: readonly string[]
  /** Whether one has another value than the installation found: one that another program set since. */
  readonly isNewer: boolean
}

/** Restores the three sysctls to the values that were found last. */
export async function restoreSysctls(
  { hostDir, sysctlRoot: root, kernelManagedBy }: AgentSettings,
  log: Log,
): Promise<RestoredSysctls> {
  if (kernelManagedBy === 'node') {
    log.info('the sysctls are left to the configuration of this node')
    return { failed: [], isNewer: false }
  }
  const found = await readSysctls(root)
  const other = hostDirOf(found[CORE_PATTERN])
  if (other !== undefined && other !== hostDir && (await exists(join(other, 'cdc')))) {
    log.warn(
      { hostDir: other },
      'the sysctls were set by an agent in another directory: left to that agent',
    )
    return { failed: [], isNewer: false }
  }
  const record = await readSysctlRecord(hostDir)
  const results = await restore(SYSCTLS.toReversed(), {
    root,
    backupDir: hostDir,
    isBackup,
    // a newer value of another program stays
    isOurs: ownership(found, record),
    // better than a pattern that points to nothing
    fallbacks: KERNEL_DEFAULTS,
  })
  const failed = results.flatMap((result) => logResult(log, result, record.first.get(result.key)))
  const isNewer = results.some((result) => {
    const first = record.first.get(result.key)
    if (result.outcome === 'failed' || result.outcome === 'fallback') return false
    return first !== undefined && first !== result.value
  })
  return { failed, isNewer }
}

/** Returns the names of what could not be restored. */
function logResult(log: Log, result: RestoreResult, installation: string | undefined): string[] {
  const { key: sysctl, outcome } = result
  if (outcome === 'failed') {
    log.error({ sysctl, err: result.error }, 'sysctl could not be restored; going on')
    return [sysctl]
  }
  const { value } = result
  const facts = { sysctl, value, ...(installation !== undefined && { installation }) }
  if (outcome === 'fallback') {
    const text = 'sysctl set to the default of the kernel: there is no backup of what it was'
    if (result.unusable === undefined) log.info(facts, text)
    else {
      const { unusable } = result
      log.error(
        { ...facts, unusable },
        'sysctl set to the default of the kernel: its backup cannot be used',
      )
      return [`${sysctl.split('.').at(-1)}.bak`]
    }
  } else if (outcome === 'not-ours') {
    log.info(facts, 'sysctl was changed by another program meanwhile: left as it is')
  } else if (outcome === 'restored') {
    log.info(
      facts,
      value === installation || installation === undefined
        ? 'sysctl restored to the value that the installation found'
        : 'sysctl restored to the value that another program has set since the installation',
    )
  }
  return []
}
