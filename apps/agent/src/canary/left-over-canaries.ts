import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { nameOfPartFile, readManifest } from '@core-dump-handler/bundle'
import writeFileAtomic from 'write-file-atomic'
import type { Log } from '../log/open-log.ts'
import { nodeFiles } from '../node/node-files.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { CANARY } from './let-crash.ts'

type Directories = Pick<AgentSettings, 'hostDir' | 'coreDir' | 'eventDir'>

/** Writes the name of a canary to the disk before it crashes, so that its bundle is known after a power-off. */
export async function rememberCanary(hostDir: string, canary: string): Promise<void> {
  const names = [...(await rememberedCanaries(hostDir)), canary]
  await writeFileAtomic(nodeFiles(hostDir).canaries, `${names.join('\n')}\n`, { mode: 0o600 })
}

/** Call it when no file of a canary can be left. */
export async function forgetCanaries(hostDir: string): Promise<void> {
  await rm(nodeFiles(hostDir).canaries, { force: true })
}

/**
 * Deletes the files of canaries of an agent that ended before it could delete them, so that they are
 * not uploaded as crashes. By exact name: a process could choose the name of a canary for its own
 * crash. Reads the bundles in CORE_DIR only where a canary is remembered.
 */
export async function removeLeftOverCanaries(
  { hostDir, coreDir, eventDir }: Directories,
  log: Log,
): Promise<void> {
  const canaries = await rememberedCanaries(hostDir)
  if (canaries.length === 0) return
  for (const file of await readdir(coreDir).catch(() => [])) {
    const path = join(coreDir, file)
    const part = nameOfPartFile(file)
    if (part !== undefined) {
      if (!canaries.some((canary) => part.includes(canary))) continue
    } else {
      if (file.startsWith('.') || !file.endsWith('.zip')) continue
      const manifest = await readManifest(path)
      if (!canaries.includes(manifest?.crash.comm ?? '')) continue
      await rm(join(eventDir, `${manifest?.uuid}-event.json`), { force: true })
    }
    await rm(path, { force: true })
    log.info({ file }, 'deleted the left-over of a process that crashed for a test')
  }
  await forgetCanaries(hostDir)
}

async function rememberedCanaries(hostDir: string): Promise<readonly string[]> {
  const text = await readFile(nodeFiles(hostDir).canaries, 'utf8').catch(() => '')
  return text.split('\n').filter((line) => CANARY.test(line))
}
