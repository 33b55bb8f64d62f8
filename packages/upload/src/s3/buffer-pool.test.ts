import { describe, expect, it } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

describe('BufferPool', () => {
  it('lends no more buffers than it has, in the order of the requests', async () => {
    const pool = new BufferPool(2, 16)
    const first = await pool.take(16)
    const second = await pool.take(1)
    const order: string[] = []
    const third = pool.take(16).then((loan) => (order.push('third'), loan))
    const fourth = pool.take(16).then((loan) => (order.push('fourth'), loan))
    await new Promise(setImmediate)
    expect(order).toEqual([])

    first[Symbol.dispose]()
    const reused = await third
    second[Symbol.dispose]()
    const last = await fourth

    expect(order).toEqual(['third', 'fourth'])
    expect(reused.buffer).toBe(first.buffer)
    expect(last.buffer).toBe(second.buffer)
  })

  it('gives the buffer of an aborted request to the next one', async () => {
    const pool = new BufferPool(1, 16)
    const loan = await pool.take(16)
    const stop = new AbortController()
    const given = pool.take(16, stop.signal)
    const next = pool.take(16)

    stop.abort()
    await expect(given).rejects.toMatchObject({ code: 'ABORTED' })
    loan[Symbol.dispose]()

    expect((await next).buffer).toHaveLength(16)
  })
})
