import { join } from 'node:path'
import { readSysctl, restore } from '@core-dump-handler/sysctl'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { exists } from './node-files.ts'
import { CORE_PATTERN, SYSCTLS, hostDirOf } from './sysctls.ts'

const WORDS = {
  restored: 'sysctl restored',
  fallback: 'sysctl set to the default of the kernel: there is no backup of what it was',
  'not-ours': 'sysctl was changed by another program meanwhile: left as it is',
} as const

/** Restores the three sysctls as they were found. Resolves with the keys that could not be restored. */
export async function restoreSysctls(
  { hostDir, sysctlRoot: root }: AgentSettings,
  log: Log,
): Promise<string[]> {
  const other = hostDirOf(await readSysctl(CORE_PATTERN, { root }))
  if (other !== undefined && other !== hostDir && (await exists(join(other, 'cdc')))) {
    log.warn(
      { hostDir: other },
      'the sysctls were set by an agent in another directory: left to that agent',
    )
    return []
  }
  const results = await restore(SYSCTLS.toReversed(), {
    root,
    backupDir: hostDir,
    // a newer pattern of another program stays; the numbers are restored in any case
    isOurs: (key, value) => key !== CORE_PATTERN || hostDirOf(value) !== undefined,
    // what the kernel starts with, core(5): better than a pattern that points to nothing
    fallbacks: { [CORE_PATTERN]: 'core' },
  })
  const failed: string[] = []
  for (const result of results) {
    const { key: sysctl, outcome } = result
    if (outcome === 'failed') {
      failed.push(sysctl)
      log.error({ sysctl, err: result.error }, 'sysctl could not be restored; going on')
    } else if (outcome !== 'unchanged') {
      log.info({ sysctl, value: result.value }, WORDS[outcome])
    }
  }
  return failed
}
