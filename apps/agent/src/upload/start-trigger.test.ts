import { expect, test } from 'vitest'
import { msUntilNextTick } from './start-trigger.ts'

test.for([7000, 45_000, 90_000, 3_600_000])(
  'B15: an interval of %d ms ticks with equal gaps, however long each tick takes',
  (intervalMs) => {
    const start = 1_234_567
    const ticks: number[] = []
    for (let now = start, n = 0; n < 200; n++) {
      now += msUntilNextTick(start, intervalMs, now)
      ticks.push(now)
      now += (n * 37) % 1000 // the work of the tick
    }
    const gaps = new Set(ticks.map((tick, index) => tick - (ticks[index - 1] ?? start)))
    expect(gaps).toEqual(new Set([intervalMs]))
  },
)

test('missed ticks are not repeated [B15]', () => {
  expect(msUntilNextTick(0, 1000, 10_250)).toBe(750)
})

test('a clock set back costs one interval at most [agent-22]', () => {
  expect(msUntilNextTick(50_000, 1000, 0)).toBe(1000)
})
