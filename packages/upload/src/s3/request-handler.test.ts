import { describe, expect, it } from 'vitest'
import { IdleTimeout, attemptLimitMs } from './request-handler.ts'

describe('attemptLimitMs', () => {
  it('gives a part of 8 MiB the hours that it takes at 1 KiB/s [agent-6]', () => {
    expect(attemptLimitMs(600_000, 8 * 1024 ** 2)).toBeGreaterThan((8 * 1024 ** 2) / 1.024)
    expect(attemptLimitMs(600_000, 0)).toBe(600_000)
  })
})

describe('IdleTimeout', () => {
  it('doubles after each call without an answer, up to 10 minutes, until a fast answer', () => {
    const timeout = new IdleTimeout(60_000, 2)
    const given = Array.from({ length: 12 }, () => {
      timeout.timedOut()
      return timeout.ms / 1000
    })
    expect(given).toEqual([60, 120, 120, 240, 240, 480, 480, 600, 600, 600, 600, 600])
    timeout.answered(250_000)
    expect(timeout.ms).toBe(600_000)
    timeout.answered(1000)
    expect(timeout.ms).toBe(60_000)
  })
})
