import { writeFileSync } from 'node:fs'
import type { BundleManifest } from '@core-dump-handler/composer'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random, seedOf } from './fuzz/generate/random.ts'
import { Containerd } from './harness/containerd.ts'
import { realParts } from './harness/requirements.ts'
import { removeScratch, scratchDirectory } from './harness/scratch.ts'
import { Catcher } from './identity/catcher.ts'
import { crash, type Crash, type Scene } from './identity/crashes.ts'
import { removeInner, startHomes, type Home } from './identity/pods.ts'
import { Tally } from './identity/tally.ts'

const CRASHES = Number(process.env['IDENTITY_CRASHES'] ?? 150)
const SEED = Number(process.env['IDENTITY_SEED'] ?? 20_261_123)
/** Others wait for the kernel meanwhile. */
const BATCH = 25
/** Every so many batches the runtime is restarted while composers ask it. */
const RESTARTS = 3

realParts('whose crash it was, under attack', () => {
  const directory = scratchDirectory()
  const containerd = new Containerd('2')
  let catcher: Catcher
  let homes: Home[] = []

  beforeAll(async () => {
    await containerd.start()
    homes = await startHomes(containerd, directory)
    catcher = new Catcher({
      CRIO_ENDPOINT: `unix://${containerd.socket}`,
      // a busy machine is no reason to doubt, and so many crashes of one image no storm
      CRI_CALL_TIMEOUT_MS: '30000',
      CRI_TOTAL_TIMEOUT_MS: '60000',
      RATE_CRASHES: '0',
    })
    await catcher.deploy()
  })
  afterAll(async () => {
    await catcher.dispose()
    homes.forEach(removeInner)
    for (const pod of new Set(homes.map((home) => home.pod))) await pod.remove()
    await containerd.stop()
    removeScratch(directory)
  })

  test(
    `no crash of ${CRASHES} is given to another owner`,
    { timeout: CRASHES * 4_000 },
    async () => {
      const tally = new Tally()
      for (let done = 0; done < CRASHES; done += BATCH) await crashBatch(tally, done)
      report(tally)
      expect(tally.wrong).toEqual([])
      expect(tally.doubted).toEqual([])
      expect(tally.sum.verified + tally.sum.unverified).toBe(CRASHES)
    },
  )

  async function crashBatch(tally: Tally, first: number): Promise<void> {
    const count = Math.min(BATCH, CRASHES - first)
    const batch = first / BATCH
    const random = new Random(seedOf(SEED, batch))
    const restarts = batch % RESTARTS === RESTARTS - 1
    const { hostDir } = catcher.agent
    const scene: Scene = { containerd, homes, directory, hostDir, restarts, passing: [] }
    const crashes = new Map<string, Crash>()
    const makeAll = async (): Promise<void> => {
      for (let serial = first; serial < first + count; serial++) {
        const made = await crash(scene, random, serial)
        crashes.set(made.comm, made)
      }
      if (!restarts) return
      await containerd.daemon.stop()
      await containerd.launch()
    }
    const isOurs = ({ crash: { comm } }: BundleManifest): boolean => crashes.has(comm ?? '')
    for (const manifest of await catcher.catch(makeAll, isOurs, count)) {
      const truth = crashes.get(manifest.crash.comm ?? '')
      if (truth) tally.add(truth, manifest, restarts)
    }
    for (const pod of scene.passing) await pod.remove()
    homes.forEach(removeInner)
  }

  function report({ sum, kinds }: Tally): void {
    const path = process.env['IDENTITY_REPORT']
    if (path === undefined) return
    const pods = new Set(homes.map(({ pod }) => pod)).size
    const run = { seed: SEED, crashes: CRASHES, pods, ...sum, kinds: Object.fromEntries(kinds) }
    writeFileSync(path, `${JSON.stringify(run, undefined, 2)}\n`)
  }
})
