import { appendFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CoreEntry } from '@core-dump-handler/testing/bench/entries'
import { Random, seedOf } from '../fuzz/generate/random.ts'
import { realParts } from '../real-parts.ts'
import { coreSockets } from '../receiver/core-sockets.ts'
import { BATCH, crashBatch } from './batch.ts'
import { Stage } from './stage.ts'
import { Tally } from './tally.ts'

const CRASHES = Number(process.env['IDENTITY_CRASHES'] ?? 150)
const SEED = Number(process.env['IDENTITY_SEED'] ?? 20_261_123)
/** Every so many batches the runtime is restarted while composers ask it. */
const RESTARTS = 3

realParts('the owners of random crashes under attack', () => {
  randomRun(
    'pipe',
    `are right or unverified for ${CRASHES} crashes [identity-1, identity-2, identity-3, identity-4, identity-5, identity-6, identity-9, identity-10, identity-11, identity-13, B11]`,
  )
})

coreSockets('the owners of random crashes that come through the socket', () => {
  randomRun('socket', `are right or unverified for ${CRASHES} crashes [receiver-11]`)
})

function randomRun(entry: CoreEntry, name: string): void {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.start(undefined, entry)
  })
  afterAll(() => stage.stop())

  test(name, { timeout: CRASHES * 4_000 }, async () => {
    const tally = new Tally()
    for (let first = 0; first < CRASHES; first += BATCH) {
      const batch = first / BATCH
      const count = Math.min(BATCH, CRASHES - first)
      const restarts = batch % RESTARTS === RESTARTS - 1
      const random = new Random(seedOf(SEED, batch))
      await crashBatch(stage, tally, random, { first, count, restarts })
    }
    report(tally)
    expect(tally.wrong).toEqual([])
    expect(tally.doubted).toEqual([])
    expect(tally.lost).toEqual([])
    expect(tally.sum.verified + tally.sum.unverified).toBe(CRASHES)
  })

  function report({ sum, kinds }: Tally): void {
    const path = process.env['IDENTITY_REPORT']
    if (path === undefined) return
    const pods = new Set(stage.homes.map(({ pod }) => pod)).size
    const run = {
      entry,
      seed: SEED,
      crashes: CRASHES,
      pods,
      ...sum,
      kinds: Object.fromEntries(kinds),
    }
    appendFileSync(path, `${JSON.stringify(run)}\n`)
  }
}
