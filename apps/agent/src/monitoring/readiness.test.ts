import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from '@core-dump-handler/testing/agent/scratch-node'
import { type QueueEvent, type Stored, UploadError } from '@core-dump-handler/upload'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Metrics } from './metrics.ts'
import { queueObserver } from './queue-observer.ts'
import { probeDestination, Readiness } from './readiness.ts'

const STORED: Stored = {
  url: 's3://b/x.zip',
  key: 'x.zip',
  bytes: 1,
  outcome: 'stored',
  parts: 0,
  keptParts: 0,
}

/** A readiness that sees the events of a queue with one bundle. */
async function observed(coreDir: string) {
  const file = join(coreDir, 'x.zip')
  await writeFile(file, 'x')
  const readiness = new Readiness({ usesDestination: true })
  const observe = queueObserver(new Metrics(), readiness, { add: () => undefined }, () => undefined)
  const fail = (code: 'DENIED' | 'CHANGED'): void =>
    observe({ type: 'failed', file, error: new UploadError(code, `it is ${code}`), attempt: 1 })
  return { file, readiness, observe, fail, isOk: () => readiness.checks()[1]?.ok ?? false }
}

describe('Readiness', () => {
  test('its check of the destination fails while a store answers and refuses bundles', async ({
    node,
  }) => {
    const { file, readiness, observe, fail, isOk } = await observed(node.coreDir)
    readiness.destinationAnswered()
    expect(isOk()).toBe(true)
    fail('CHANGED')
    expect(isOk()).toBe(true)
    fail('DENIED')
    const progress: QueueEvent = { type: 'progress', file, progress: { bytes: 1, totalBytes: 2 } }
    observe(progress)
    readiness.destinationAnswered() // by the request for the bucket
    expect(readiness.checks()[1]).toMatchObject({ ok: false, detail: 'it is DENIED' })
    observe({ type: 'stored', file, stored: STORED, durationMs: 1, ageMs: 1, deleted: true })
    expect(isOk()).toBe(true)
  })

  test('D10: a refusal ends when its bundle is deleted', async ({ node }) => {
    const { file, readiness, fail, isOk } = await observed(node.coreDir)
    readiness.destinationAnswered()
    fail('DENIED')
    expect(isOk()).toBe(false)
    await rm(file)
    expect(isOk()).toBe(true)
  })

  test('waits for the first answer of the store, for a minute at most', () => {
    let now = 0
    const readiness = new Readiness({ usesDestination: true, now: () => now })
    readiness.destinationFailed('no route')
    now = 3_600_000 // the node may not be prepared for long
    expect(readiness.isReady).toBe(false)
    readiness.nodePrepared()
    now += 59_000
    expect(readiness.isReady).toBe(false)
    now += 1000
    expect(readiness.isReady).toBe(true)
    expect(readiness.checks()).toMatchObject([{ ok: true }, { ok: false, detail: 'no route' }])
    readiness.nodeUnprepared('changed by another program')
    expect(readiness.isReady).toBe(false)
    readiness.nodePrepared()
    expect(readiness.isReady, 'it does not wait again').toBe(true)
  })

  test('stays ready once the store has answered, whatever the store does', () => {
    const readiness = new Readiness({ usesDestination: true })
    readiness.nodePrepared()
    expect(readiness.isReady).toBe(false)
    readiness.destinationAnswered()
    expect(readiness.isReady).toBe(true)
    readiness.destinationFailed('HTTP 503')
    readiness.uploadRefused('/a', 'AccessDenied')
    expect(readiness.isReady).toBe(true)
  })

  test('reports each change of the destination and who found it, and no first answer', async ({
    node,
  }) => {
    const changes: unknown[] = []
    const readiness = new Readiness({
      usesDestination: true,
      onDestination: ({ ok, detail }, by) => changes.push([ok, detail, by]),
    })
    readiness.destinationAnswered()
    expect(changes).toEqual([])
    readiness.destinationFailed('one')
    readiness.destinationFailed('two')
    readiness.destinationAnswered()
    readiness.destinationAnswered()
    const file = join(node.coreDir, 'x.zip')
    await writeFile(file, 'x')
    readiness.uploadRefused(file, 'AccessDenied')
    readiness.destinationAnswered()
    await rm(file)
    readiness.checks()
    readiness.destinationFailed('three', 'probe')
    expect(changes).toEqual([
      [false, 'one', 'queue'],
      [true, 'reachable', 'queue'],
      [false, 'AccessDenied', 'queue'],
      [true, 'reachable', 'probe'],
      [false, 'three', 'probe'],
    ])
  })
})

const WAITS = { afterFailureMs: 20, afterAnswerMs: 40, maxMs: 400 }

/** Probes a destination that answers as told; `asked` has the time of each check in ms. */
function probed(isPaused = (): boolean => false, waits = WAITS) {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const readiness = new Readiness({ usesDestination: true })
  const state = { fails: false }
  const asked: number[] = []
  const destination = {
    async check(): Promise<void> {
      asked.push(performance.now())
      if (state.fails) throw new UploadError('STORE', 'it fails')
    },
  }
  void probeDestination(destination, readiness, isPaused, controller.signal, waits)
  return { readiness, state, asked }
}

describe('probeDestination', () => {
  it.for([true, false])(
    'D12: asks an idle destination less and less, failing: %s',
    async (fails) => {
      const { state, asked } = probed()
      state.fails = fails
      await sleep(2000)
      // each 40 ms these were 50
      expect(asked.length).toBeGreaterThan(3)
      expect(asked.length).toBeLessThan(14)
      const [first = 0, second = 0] = asked
      const [last = 0, beforeLast = 0] = asked.toReversed()
      expect(last - beforeLast).toBeGreaterThan(2 * (second - first))
      expect(last - beforeLast).toBeLessThan(800)
    },
  )

  it('D12: does not ask while transfers show that the destination works', async () => {
    const { readiness, asked } = probed(undefined, { ...WAITS, afterAnswerMs: 500 })
    for (let n = 0; n < 150; n++) {
      readiness.uploadStored()
      await sleep(10)
    }
    expect(asked).toHaveLength(1)
    await expect.poll(() => asked.length, { timeout: 5000 }).toBeGreaterThan(1)
  })

  it('D12: does not ask while the queue itself tries the destination again', async () => {
    let isPaused = true
    const { state, asked } = probed(() => isPaused)
    state.fails = true
    await sleep(1000)
    expect(asked).toHaveLength(1)
    isPaused = false
    await expect.poll(() => asked.length, { timeout: 5000 }).toBeGreaterThan(1)
  })

  it('shows a recovery at the next check', async () => {
    const { readiness, state } = probed()
    state.fails = true
    readiness.destinationFailed('before')
    await sleep(100)
    expect(readiness.checks()[1]).toMatchObject({ ok: false, detail: 'it fails' })
    state.fails = false
    await expect.poll(() => readiness.checks()[1]?.ok, { timeout: 5000 }).toBe(true)
  })
})
