import type { BundleManifest } from '@core-dump-handler/bundle'
import type { Random } from '../fuzz/generate/random.ts'
import { crash, nameOf, type Crash } from './crashes.ts'
import type { Stage } from './stage.ts'
import type { Tally } from './tally.ts'

/** Crashes per lock of the kernel's settings, for which other tests wait. */
export const BATCH = 25
const LIMIT = { limitMs: 240_000 }

export interface BatchOptions {
  /** Number of the first crash, which is part of the names of the processes. */
  readonly first: number
  readonly count?: number
  /** Restart the runtime during lookups. */
  readonly restarts: boolean
}

/** Crash processes in pods at random, and count the owners that the bundles name. */
export async function crashBatch(
  stage: Stage,
  tally: Tally,
  random: Random,
  { first, count = BATCH, restarts }: BatchOptions,
): Promise<void> {
  const { catcher, containerd } = stage
  const scene = stage.scene(restarts)
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
  const isOurs = (manifest: BundleManifest): boolean => crashes.has(nameOf(manifest))
  for (const manifest of await catcher.catch(makeAll, isOurs, count, LIMIT)) {
    const comm = nameOf(manifest)
    const truth = crashes.get(comm)
    if (truth) tally.add(truth, manifest, restarts)
    crashes.delete(comm)
  }
  tally.lost.push(...crashes.keys())
  for (const pod of scene.passing) await pod.remove()
  stage.sweep()
}
