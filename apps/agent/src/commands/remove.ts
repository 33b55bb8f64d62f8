import { readdir, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { readSysctl } from '@core-dump-handler/sysctl'
import { codeOf } from '../error.ts'
import { apiServer } from '../cluster/api-server.ts'
import { isUninstalling } from '../cluster/is-uninstalling.ts'
import type { CommandContext } from '../context.ts'
import { LIBRARY_DIRECTORY } from '../deploy/deploy-executable.ts'
import {
  exists,
  isDeployed,
  nodeFiles,
  readDeployed,
  STATE_DIRECTORIES,
} from '../node/node-files.ts'
import { restoreSysctls } from '../node/restore-sysctls.ts'
import { CORE_PATTERN, hostDirOf } from '../node/sysctls.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { recordSuppressed } from '../spool/record-suppressed.ts'

/**
 * Restores the node: sysctls first, then the files. CORE_DIR and events stay.
 * Safe to repeat; a step that fails does not stop the next ones. Resolves with the exit code: 1 when one failed.
 */
export async function remove({ settings, env, log }: CommandContext): Promise<number> {
  const { hostDir } = settings
  const { removing } = nodeFiles(hostDir)
  const failed: string[] = []
  let isNewer = false
  const step = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (err) {
      failed.push(name)
      log.error({ step: name, err }, 'a step of `remove` failed; the next ones go on')
    }
  }

  await step('.removing', async () => {
    if (await exists(hostDir)) await writeFile(removing, '', { mode: 0o600 })
  })
  await step('sysctls', async () => {
    const restored = await restoreSysctls(settings, log)
    failed.push(...restored.failed)
    isNewer = restored.isNewer
  })
  await step('rate', async () => {
    const { coreDir } = settings
    const nodeName = env['NODE_NAME'] ?? hostname()
    await recordSuppressed({ hostDir, coreDir, nodeName, all: true, onSuppressed: () => undefined })
  })
  await step(hostDir, async () => {
    const patternIsOurs = await isOurPattern(settings)
    if (patternIsOurs) {
      failed.push('cdc', '.env')
      log.error(
        'the kernel still runs cdc: cdc and .env stay, because without them cores would be lost',
      )
    }
    const deployed = (await readDeployed(hostDir)) ?? new Set<string>()
    // the list itself last: an interrupted `remove` can be repeated
    const names = (await list(hostDir)).toSorted((a, b) => rank(a) - rank(b))
    for (const name of names) {
      if (!isDeployed(name, { patternIsOurs, deployed })) continue
      await step(name, async () => {
        await rm(join(hostDir, name), { force: true, recursive: isDirectory(name) })
        log.info({ file: name }, 'deleted')
      })
    }
  })
  await step('.removing', async () => rm(removing, { force: true }))

  if (failed.length === 0) {
    log.info(
      isNewer
        ? 'the node is restored, with the values that other programs set since the installation; bundles and events stay'
        : 'the node is restored as it was found; bundles and events stay',
    )
  } else
    log.error(
      { failed },
      'steps of `remove` failed: remove the causes logged above, then run `remove` again',
    )
  return failed.length === 0 ? 0 : 1
}

const isDirectory = (name: string): boolean =>
  LIBRARY_DIRECTORY.test(name) || STATE_DIRECTORIES.includes(name)

const rank = (name: string): number => (name === '.deployed' ? 1 : 0)

async function isOurPattern({ hostDir, sysctlRoot: root }: AgentSettings): Promise<boolean> {
  try {
    return hostDirOf(await readSysctl(CORE_PATTERN, { root })) === hostDir
  } catch {
    return false
  }
}

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** `remove`, but only where no other pod will replace this one: what a preStop hook cannot know by itself. */
export async function removeIfUninstalling(context: CommandContext): Promise<number> {
  const { uninstalling, because } = await isUninstalling(apiServer(context.env), context.env)
  context.log.info(
    { because },
    uninstalling ? 'uninstalling: this node is restored' : 'not uninstalling: nothing is removed',
  )
  return uninstalling ? remove(context) : 0
}
