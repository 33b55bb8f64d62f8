import { access, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { giveBack, readSysctl } from '@core-dump-handler/sysctl'
import type { Log } from './log/open-log.ts'
import { CORE_PATTERN, SYSCTLS, hostDirOf } from './node/sysctls.ts'
import type { AgentSettings } from './settings/settings.ts'

/** Everything ever put into HOST_DIR, with what an interrupted write may have left beside it. */
const DEPLOYED =
  /^(cdc|\.env|crictl|crictl\.yaml|(core_pattern|core_pipe_limit|suid_dumpable)\.bak)(\.new|\.\d+)$|^(crictl|crictl\.yaml|composer\.log(\.\d+)?)$/
/** What a crash needs as long as the pattern still points to it. */
const RUN_BY_THE_KERNEL = /^(cdc|\.env)$/

/**
 * Give the node back as it was found: sysctls first, then the files. CORE_DIR and events stay.
 * Safe to repeat; goes on past a step that fails. Resolves with the exit code: 1 when one failed.
 */
export async function remove(settings: AgentSettings, log: Log): Promise<number> {
  const failed: string[] = []
  const step = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (err) {
      failed.push(name)
      log.error({ step: name, err }, 'could not be done; going on')
    }
  }

  await step('sysctls', async () => giveBackSysctls(settings, log, failed))
  await step('files', async () => {
    const stillRun = await isOurPattern(settings)
    if (stillRun) {
      failed.push('cdc', '.env')
      log.error(
        'the kernel still runs cdc, so it and its .env stay: without them cores would be lost',
      )
    }
    for (const name of await list(settings.hostDir)) {
      if (!DEPLOYED.test(name) && (stillRun || !RUN_BY_THE_KERNEL.test(name))) continue
      await step(name, async () => {
        await rm(join(settings.hostDir, name), { force: true })
        log.info({ file: name }, 'deleted')
      })
    }
  })

  if (failed.length === 0) log.info('removed: the node is as it was found; bundles and events stay')
  else log.error({ failed }, 'not everything could be removed; run `remove` again')
  return failed.length === 0 ? 0 : 1
}

async function giveBackSysctls(
  { hostDir, sysctlRoot: root }: AgentSettings,
  log: Log,
  failed: string[],
): Promise<void> {
  const other = hostDirOf(await readSysctl(CORE_PATTERN, { root }))
  if (other !== undefined && other !== hostDir && (await exists(join(other, 'cdc')))) {
    log.warn(
      { hostDir: other },
      'the sysctls belong to an agent in another directory now: left to it',
    )
    return
  }
  const results = await giveBack(SYSCTLS.toReversed(), {
    root,
    backupDir: hostDir,
    // a stranger's newer pattern is left alone; the numbers go back in any case
    isOurs: (key, value) => key !== CORE_PATTERN || hostDirOf(value) !== undefined,
    // what the kernel starts with, core(5): better than a pattern that points to nothing
    fallbacks: { [CORE_PATTERN]: 'core' },
  })
  for (const result of results) {
    const { key, outcome } = result
    if (outcome === 'failed') {
      failed.push(key)
      log.error({ sysctl: key, err: result.error }, 'could not be given back; going on')
    } else if (outcome !== 'unchanged') {
      log.info({ sysctl: key, value: result.value }, `sysctl ${WORDS[outcome]}`)
    }
  }
}

const WORDS = {
  restored: 'given back',
  fallback: 'set to the default of the kernel: there is no backup of what it was',
  foreign: 'was changed by somebody else meanwhile: left as it is',
} as const

async function isOurPattern({ hostDir, sysctlRoot: root }: AgentSettings): Promise<boolean> {
  try {
    return hostDirOf(await readSysctl(CORE_PATTERN, { root })) === hostDir
  } catch {
    return false
  }
}

const exists = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
