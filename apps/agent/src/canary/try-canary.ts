import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isSea } from 'node:sea'
import { setTimeout as sleep } from 'node:timers/promises'
import { readManifest } from '@core-dump-handler/bundle'
import { readSysctl } from '@core-dump-handler/sysctl'
import { deployComposer } from '../deploy/deploy-composer.ts'
import { AgentError } from '../error.ts'
import { KernelLog } from '../kernel-log/kernel-log.ts'
import type { Log } from '../log/open-log.ts'
import { exists } from '../node/node-files.ts'
import { CORE_PATTERN } from '../node/sysctls.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { explainCanary, lacksExecutableMemory } from './explain-denial.ts'
import { forgetCanary, rememberCanary } from './canary-bundles.ts'
import { letCrash, newCanary } from './let-crash.ts'

const TIMEOUT_MS = 30_000
const LOOK_MS = 100

/**
 * Lets a tiny process of our own crash and waits for its bundle, which is deleted: this is the only
 * way to see what keeps the kernel, and only the kernel, from running the composer. Does nothing
 * where the sysctls are not those of this kernel. Resolves with whether it was tried.
 * @throws AgentError `CANARY` with what the kernel's log contains about it, `EXECUTABLE_MEMORY` where
 * that is what a policy denies
 */
export async function tryCanary(
  { hostDir, coreDir, eventDir, coreEvents }: AgentSettings,
  pattern: string,
  signal: AbortSignal,
  isDelivered: (canary: string) => boolean,
  canary: string = newCanary(),
): Promise<boolean> {
  if ((await readSysctl(CORE_PATTERN).catch(() => undefined)) !== pattern) return false

  const log = new KernelLog()
  try {
    const there = new Set(await readdir(coreDir))
    await rememberCanary(hostDir, canary)
    await letCrash(canary)
    const lines: string[] = []
    for (let waited = 0; waited < TIMEOUT_MS && !signal.aborted; waited += LOOK_MS) {
      if (isDelivered(canary)) {
        await forgetCanary(hostDir, canary)
        return true // the upload queue was faster, if it runs already
      }
      lines.push(...log.read())
      if (lines.some((line) => line.includes(`(${canary})`) && / failed/.test(line))) break
      for (const name of await readdir(coreDir)) {
        if (there.has(name) || name.startsWith('.') || !name.endsWith('.zip')) continue
        there.add(name)
        const uuid = await uuidOf(join(coreDir, name), canary)
        if (uuid === undefined) continue
        await rm(join(coreDir, name), { force: true })
        if (coreEvents) await removeSoon(join(eventDir, `${uuid}-event.json`))
        await forgetCanary(hostDir, canary)
        return true
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
    if (signal.aborted) return false
    const report = { lines, unreadable: log.unreadable }
    const code = lacksExecutableMemory({ hostDir, coreDir }, report)
      ? 'EXECUTABLE_MEMORY'
      : 'CANARY'
    throw new AgentError(code, explainCanary({ hostDir, coreDir }, report))
  } finally {
    log.close()
  }
}

/** The composer writes it right after the bundle is published. */
async function removeSoon(path: string): Promise<void> {
  for (let tries = 0; tries < 20 && !(await exists(path)); tries++) await sleep(LOOK_MS)
  await rm(path, { force: true })
}

/** Of the bundle, if it is there and the canary's. */
async function uuidOf(path: string, canary: string): Promise<string | undefined> {
  const manifest = await readManifest(path)
  return manifest?.crash.comm === canary ? manifest.uuid : undefined
}

/**
 * As `tryCanary`. Where SELinux denies executable memory to the helper that the kernel starts, the
 * composer is installed without JIT, which needs none but takes about a third longer, and tried again.
 * @throws AgentError `CANARY`
 */
export async function tryCanaryWithoutJit(
  settings: AgentSettings,
  pattern: string,
  signal: AbortSignal,
  isDelivered: (canary: string) => boolean,
  log: Log,
): Promise<boolean> {
  try {
    return await tryCanary(settings, pattern, signal, isDelivered)
  } catch (error) {
    const isDenied = error instanceof AgentError && error.code === 'EXECUTABLE_MEMORY'
    // a script runs by the Node of the machine, whose options are not ours
    if (!isDenied || !isSea()) throw error
    log.warn(
      { reason: error.message },
      'SELinux denies executable memory to the composer: it is installed without JIT, and is slower',
    )
    await deployComposer(settings.hostDir, { jit: false })
    return tryCanary(settings, pattern, signal, isDelivered)
  }
}
