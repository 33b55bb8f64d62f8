import { readdirSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { coreImage } from '@core-dump-handler/testing/agent/killed-composer'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { until } from '@core-dump-handler/testing/until'
import type { Workshop } from './workshop.ts'

/** What the process held that crashed. */
export const CORE: Buffer = coreImage(1_500_000)

/** Have an agent salvage and upload the files of composers; returns the names that are stored. */
export async function uploadAll({ directory, coreDir }: Workshop): Promise<string[]> {
  const store = join(directory, 'store')
  const env = { CORE_DIR: coreDir, DESTINATION: `file:${store}`, INTERVAL: '1000' }
  const agent = new Agent(env).spareKernel()
  try {
    // their writers ended long ago
    const anHourAgo = new Date(Date.now() - 3_600_000)
    for (const name of readdirSync(coreDir)) utimesSync(join(coreDir, name), anHourAgo, anHourAgo)
    await agent.start()
    const isDone = (): boolean => !readdirSync(coreDir).some((name) => /\.(zip|part)$/.test(name))
    await until('all are uploaded', isDone, 60_000)
  } catch (cause) {
    throw new Error(`${readdirSync(coreDir).join(' ')}, the agent logged:\n${agent.output}`, {
      cause,
    })
  } finally {
    await agent.dispose()
  }
  return readdirSync(store).filter((name) => name.endsWith('.zip'))
}

/** Readers that are not ours open it, and its core is a beginning of what the process held. */
export async function expectSound(path: string, whole: Buffer = CORE): Promise<Bundle> {
  const bundle = await Bundle.open(path)
  await bundle.test()
  const { core } = bundle.manifest
  if (core.entry === undefined) {
    expect(core).toMatchObject({ bytes: 0, complete: false, reason: expect.any(String) })
    return bundle
  }
  const bytes = readFileSync(await bundle.extractCore())
  expect(bytes.equals(whole.subarray(0, bytes.length))).toBe(true)
  if (core.complete) expect(bytes.length).toBe(whole.length)
  else expect(core.reason).toBeTruthy()
  return bundle
}
