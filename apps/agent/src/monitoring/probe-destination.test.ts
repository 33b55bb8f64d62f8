import { setTimeout as sleep } from 'node:timers/promises'
import { UploadError } from '@core-dump-handler/upload'
import { describe, expect, it, onTestFinished } from 'vitest'
import { probeDestination } from './probe-destination.ts'
import { Readiness } from './readiness.ts'

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
