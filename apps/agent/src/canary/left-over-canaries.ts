import { readFileSync, statSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { nameOfPartFile, readManifest } from '@core-dump-handler/bundle'
import writeFileAtomic from 'write-file-atomic'
import type { Log } from '../log/open-log.ts'
import { nodeFiles } from '../node/node-files.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { CANARY } from './let-crash.ts'

/** A composer of a canary does not live longer. */
const RECENT_MS = 3_600_000
const MAX_NAMES = 20

type Directories = Pick<AgentSettings, 'hostDir' | 'coreDir' | 'eventDir'>

/** Writes the name of a canary to the disk before it crashes, so that its bundle is known after a power-off. */
export async function rememberCanary(hostDir: string, canary: string): Promise<void> {
  await writeNames(hostDir, [...rememberedCanaries(hostDir), canary].slice(-MAX_NAMES))
}

/** Call it when no file of this canary can be left. */
export async function forgetCanary(hostDir: string, canary: string): Promise<void> {
  const names = rememberedCanaries(hostDir)
  if (names.includes(canary))
    await writeNames(
      hostDir,
      names.filter((name) => name !== canary),
    )
}

/** Canaries whose bundle may still be written. */
export function recentCanaries(hostDir: string): readonly string[] {
  const found = statSync(nodeFiles(hostDir).canaries, { throwIfNoEntry: false })
  const isRecent = found !== undefined && Date.now() - found.mtimeMs < RECENT_MS
  return isRecent ? rememberedCanaries(hostDir) : []
}

/**
 * Deletes the files of canaries of an agent that ended before it could delete them, so that they are
 * not uploaded as crashes. By exact name: a process could choose the name of a canary for its own
 * crash. Reads the bundles in CORE_DIR only where a canary is remembered. One that is not found stays
 * remembered: its composer may be running.
 */
export async function removeLeftOverCanaries(
  { hostDir, coreDir, eventDir }: Directories,
  log: Log,
): Promise<void> {
  const canaries = rememberedCanaries(hostDir)
  const recent = recentCanaries(hostDir)
  const found = new Set<string>()
  if (canaries.length === 0) return
  for (const file of await readdir(coreDir).catch(() => [])) {
    const path = join(coreDir, file)
    const part = nameOfPartFile(file)
    if (part !== undefined) {
      const canary = canaries.find((name) => part.includes(name))
      if (canary === undefined) continue
      found.add(canary)
    } else {
      if (file.startsWith('.') || !file.endsWith('.zip')) continue
      const manifest = await readManifest(path)
      const canary = manifest?.crash.comm ?? ''
      if (!canaries.includes(canary)) continue
      found.add(canary)
      await rm(join(eventDir, `${manifest?.uuid}-event.json`), { force: true })
    }
    await rm(path, { force: true })
    log.info({ file }, 'deleted the left-over of a process that crashed for a test')
  }
  await writeNames(
    hostDir,
    recent.filter((canary) => !found.has(canary)),
  )
}

function rememberedCanaries(hostDir: string): readonly string[] {
  try {
    const text = readFileSync(nodeFiles(hostDir).canaries, 'utf8')
    return text.split('\n').filter((line) => CANARY.test(line))
  } catch {
    return [] // there is none
  }
}

async function writeNames(hostDir: string, names: readonly string[]): Promise<void> {
  const { canaries } = nodeFiles(hostDir)
  if (names.length === 0) await rm(canaries, { force: true })
  else await writeFileAtomic(canaries, `${names.join('\n')}\n`, { mode: 0o600 })
}
