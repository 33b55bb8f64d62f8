import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Warnings } from '../warnings.ts'
import { createLimiter, type Slot, type SlotRequest } from './limiter.ts'

function request(scope: string, released = false, controller = new AbortController()): SlotRequest {
  const stop = { signal: controller.signal, cause: undefined }
  return { scope, released, stop, warnings: new Warnings() }
}

/** Whether `promise` is settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), sleep(20).then(() => false)])
}

describe('createLimiter', () => {
  it('hands a slot on when its core is drained', async () => {
    const limiter = createLimiter({ limit: 1 })
    const first = await limiter.acquire(request('a'))
    const second = limiter.acquire(request('a'))
    expect(await isSettled(second)).toBe(false)
    await first.drained()
    const slot: Slot = await second
    // the first still writes its metadata
    const metadata = slot.drained()
    expect(await isSettled(metadata)).toBe(false)
    first.release()
    first.release()
    await metadata
    slot.release()
  })

  it('takes no drain from others for a crash that is only recorded', async () => {
    const limiter = createLimiter({ limit: 1 })
    const drain = await limiter.acquire(request('a'))
    const record = await limiter.acquire(request('a', true))
    await record.drained()
    record.release()
    drain.release()
  })

  it('lets no capture wait longer than its limit, and warns', async () => {
    const limiter = createLimiter({ limit: 1, maxWaitMs: 50 })
    await limiter.acquire(request('a'))
    const late = request('b')
    await limiter.acquire(late)
    expect(late.warnings.list).toMatchObject([{ code: 'GATE_TIMEOUT' }])
  })

  it('does not wait for a capture that is stopped, before or meanwhile', async () => {
    const limiter = createLimiter({ limit: 1 })
    await limiter.acquire(request('a'))
    const controller = new AbortController()
    const waiting = limiter.acquire(request('b', false, controller))
    expect(await isSettled(waiting)).toBe(false)
    controller.abort()
    await waiting
    const late = request('c', false, controller)
    await limiter.acquire(late)
    expect(late.warnings.list).toEqual([])
  })
})
