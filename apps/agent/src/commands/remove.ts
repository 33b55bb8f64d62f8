import { readdir, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { readSysctl } from '@core-dump-handler/sysctl'
import { apiServer, type ApiServer, callApiServer } from '../cluster/api-server.ts'
import type { CommandContext } from '../context.ts'
import { codeOf } from '../error.ts'
import {
  exists,
  isDeployed,
  LIBRARY_DIRECTORY,
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

/** Whether the DaemonSet of this pod is being uninstalled, and how that is known. */
interface Verdict {
  readonly uninstalling: boolean
  readonly because: string
}

/**
 * Update or uninstall? Reads the DaemonSet that owns this pod. No answer counts as an update; a
 * refusal counts as an uninstall, because helm deletes the roles along with the DaemonSet.
 */
export async function isUninstalling(
  server: ApiServer | undefined,
  env: Readonly<NodeJS.ProcessEnv>,
): Promise<Verdict> {
  const { POD_NAMESPACE: namespace, DAEMONSET_NAME: name } = env
  if (server === undefined || !namespace || !name) {
    return verdict(true, 'this is no pod of a DaemonSet: no other pod will replace it')
  }
  const names = [namespace, name].map(encodeURIComponent)
  const path = `/apis/apps/v1/namespaces/${names[0]}/daemonsets/${names[1]}`
  try {
    const { status, body } = await callApiServer(server, { method: 'GET', path })
    if (status === 404) return verdict(true, 'the DaemonSet is gone')
    if (status === 401 || status === 403)
      return verdict(true, `this pod may not read it any more (${status})`)
    if (status !== 200) return verdict(false, `the API server answered ${status}`)
    return isBeingDeleted(body)
      ? verdict(true, 'the DaemonSet is being deleted')
      : verdict(false, 'the DaemonSet exists: another pod will replace this one')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return verdict(true, 'this pod has no token any more')
    }
    return verdict(false, `the API server did not answer: ${String(error)}`)
  }
}

const verdict = (uninstalling: boolean, because: string): Verdict => ({ uninstalling, because })

function isBeingDeleted(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) return false
  const { metadata } = body
  return typeof metadata === 'object' && metadata !== null && 'deletionTimestamp' in metadata
}
