import { describe, expect, it } from 'vitest'
import { UploadError } from '../error.ts'
import { Pause, type Tried } from './pause.ts'

const OPTIONS = { minDelayMs: 1000, maxDelayMs: 300_000 }
const down = new UploadError('UNREACHABLE', 'down')
const denied = new UploadError('DENIED', 'no', { httpStatus: 403, storeCode: 'AccessDenied' })
const file = (name: string): Tried => ({ name })

describe('Pause', () => {
  it('D1: waits ever longer, five minutes at most, at random', () => {
    const waits = Array.from({ length: 30 }, () => {
      const pause = new Pause(OPTIONS)
      let now = 0
      let last = 0
      for (let n = 0; n < 20; n++) {
        const verdict = pause.failed(file(`${n}`), down, now)
        if (verdict.scope === 'file') throw new Error('No pause')
        last = verdict.retryInMs
        now += last + 1
      }
      return last
    })
    expect(Math.max(...waits)).toBeLessThanOrEqual(300_000)
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(100_000)
  })

  it('D1: reports a failure once, and again when its reason changes', () => {
    const pause = new Pause(OPTIONS)
    const gateway = new UploadError('STORE', 'bad gateway', { scope: 'destination' })
    const news = [down, down, gateway, gateway, down].map((error, n) => {
      const verdict = pause.failed(file(`${n}`), error, n * 1_000_000)
      return verdict.scope === 'destination' && verdict.isNews
    })
    expect(news).toEqual([true, false, true, false, true])
  })

  it('D2: takes the same refusal of three files for one of the destination', () => {
    const pause = new Pause(OPTIONS)
    expect(pause.failed(file('a'), denied, 0)).toMatchObject({ scope: 'file' })
    expect(pause.failed(file('a'), denied, 0)).toMatchObject({ scope: 'file' })
    expect(pause.failed(file('b'), denied, 0)).toMatchObject({ scope: 'file' })
    expect(pause.on).toBe(false)
    expect(pause.failed(file('c'), denied, 0)).toMatchObject({ scope: 'destination', isNews: true })
    // and lets all of them try again once a file is stored
    expect(pause.stored()?.toSorted()).toEqual(['a', 'b', 'c'])
    expect(pause.on).toBe(false)
  })

  it('D2: takes refusals of two files, or with one stored between them, for those of files', () => {
    const pause = new Pause(OPTIONS)
    for (const name of ['a', 'b']) pause.failed(file(name), denied, 0)
    pause.stored()
    for (const name of ['c', 'd']) pause.failed(file(name), denied, 0)
    const other = new UploadError('REFUSED', 'no', { httpStatus: 400, storeCode: 'InvalidTag' })
    expect(pause.failed(file('e'), other, 0)).toMatchObject({ scope: 'file' })
    expect(pause.on).toBe(false)
  })

  it('does not pause for a local failure', () => {
    const pause = new Pause(OPTIONS)
    for (const name of ['a', 'b', 'c', 'd']) {
      pause.failed(file(name), new UploadError('UNREADABLE', 'no'), 0)
    }
    expect(pause.on).toBe(false)
  })

  it('lets another file be tried at once while only one has failed, and none while two have', () => {
    const pause = new Pause(OPTIONS)
    pause.failed(file('a'), down, 0)
    expect(pause.limit(0, 2)).toBe(1)
    pause.failed(file('b'), down, 0)
    expect(pause.limit(-1, 2)).toBe(0)
  })

  it('holds a file responsible that fails while others are stored', () => {
    const pause = new Pause(OPTIONS)
    const poison = file('poison')
    pause.failed(poison, down, 0)
    pause.stored()
    for (let n = 0; n < 10; n++) {
      expect(pause.failed(poison, down, n)).toMatchObject({ scope: 'file' })
      pause.stored()
    }
  })
})
