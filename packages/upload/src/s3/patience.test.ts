import { expect, test } from 'vitest'
import { Patience, attemptLimitMs } from './patience.ts'

test('a part of 8 MiB has the hours that it takes at 1 KiB/s [agent-6]', () => {
  expect(attemptLimitMs(600_000, 8 * 1024 ** 2)).toBeGreaterThan((8 * 1024 ** 2) / 1.024)
  expect(attemptLimitMs(600_000, 0)).toBe(600_000)
})

test('a store that never answers gets more time after each call, ten minutes at most, one that answers soon no more', () => {
  const patience = new Patience(60_000, 2)
  const given = Array.from({ length: 12 }, () => {
    patience.silent()
    return patience.ms / 1000
  })
  expect(given).toEqual([60, 120, 120, 240, 240, 480, 480, 600, 600, 600, 600, 600])
  patience.answered(250_000)
  expect(patience.ms).toBe(600_000)
  patience.answered(1000)
  expect(patience.ms).toBe(60_000)
})
