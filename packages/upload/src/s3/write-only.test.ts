import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { MIB, randomFile, sha256 } from '@core-dump-handler/testing/random-file'
import { describeS3, type S3Test } from '@core-dump-handler/testing/upload/s3-test'
import { UploadQueue } from '../index.ts'

const SIZES = [1000, 12 * MIB] as const
const DENIED = { kind: 's3-error', status: 403, code: 'AccessDenied' } as const

/** Reading and listing are denied. */
function denyReading(w: S3Test): void {
  w.proxy.inject({ on: 'HeadObject', kind: 'response', status: 403, times: 1000 })
  for (const on of ['ListParts', 'other'] as const) w.proxy.inject({ ...DENIED, on, times: 1000 })
}

describeS3('keys that may only write', (start) => {
  it.for(SIZES)('D8: store %d bytes and verify them by the answer', async (bytes) => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), bytes)
    denyReading(w)
    const store = w.open({ verify: 'response' })

    expect(await store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored', key: 'x.zip' })

    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
    expect(await readdir(w.dir)).toEqual(['x.zip'])
    // it asks once
    await store.put(await randomFile(join(w.dir, 'y.zip'), 10), 'y.zip')
    expect(w.proxy.count('HeadObject')).toBe(1)
  })

  it.for(SIZES)(
    'D8: do not take %d bytes for stored when the answer is of others',
    async (bytes) => {
      await using w = await start()
      const file = await randomFile(join(w.dir, 'x.zip'), bytes)
      denyReading(w)
      const etag = `"${'0'.repeat(32)}"`
      const on = bytes === 1000 ? 'PutObject' : 'UploadPart'
      w.proxy.inject({ on, kind: 'changed-headers', headers: { etag }, times: 20 })

      const attempt = w.open({ verify: 'response' }).put(file, 'x.zip')
      await expect(attempt).rejects.toMatchObject({ code: 'MISMATCH', retryable: true })
    },
  )

  it.for(SIZES)('D8: send %d bytes once although they may not verify them', async (bytes) => {
    await using w = await start()
    await randomFile(join(w.dir, 'x.zip'), bytes)
    denyReading(w)
    const stop = new AbortController()
    const queue = new UploadQueue(w.dir, w.store, { minDelayMs: 10, maxDelayMs: 50 })
    const running = queue.run({ signal: stop.signal })
    await sleep(1500)
    stop.abort()
    await running

    expect(w.proxy.count('PutObject')).toBe(bytes === 1000 ? 1 : 0)
    expect(w.proxy.count('UploadPart')).toBe(bytes === 1000 ? 0 : 3)
    expect(await readdir(w.dir)).toContain('x.zip')
    // with the other verification the answer that was noted is enough
    const sweep = await new UploadQueue(w.dir, w.open({ verify: 'response' })).sweep()
    expect(sweep).toMatchObject({ stored: 1 })
    expect(w.proxy.count('PutObject')).toBe(bytes === 1000 ? 1 : 0)
    expect(await readdir(w.dir)).toEqual([])
  })

  it('D8: store beside an object that they may not compare', async () => {
    await using w = await start()
    await w.store.put(await randomFile(join(w.dir, 'other.zip'), 10), 'x.zip')
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    denyReading(w)

    const stored = await w.open({ verify: 'response' }).put(file, 'x.zip', { uniqueId: 'id' })

    expect(stored).toMatchObject({ key: 'x-id.zip', takenKey: 'x.zip' })
  })
})

describeS3('a store that does not know If-None-Match', (start) => {
  it.for([
    [400, 'InvalidRequest'],
    [400, 'NotImplemented'],
    [501, 'NotImplemented'],
  ] as const)('W11: and answers %d %s gets bundles without it', async ([status, code]) => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    w.proxy.injectOnce('PutObject', { kind: 's3-error', status, code })

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored' })
    await w.store.put(await randomFile(join(w.dir, 'y.zip'), 10), 'y.zip')

    expect(w.proxy.count('PutObject')).toBe(3)
  })
})
