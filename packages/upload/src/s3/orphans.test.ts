import { once } from 'node:events'
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { MIB, randomFile, sha256 } from '@core-dump-handler/testing/random-file'
import { describeS3, type S3Test } from '@core-dump-handler/testing/upload/s3-test'
import { UploadQueue } from '../index.ts'
import type { QueueEvent } from '../index.ts'

const RECORD = '.x.zip.upload.json'

/** No other test of this file runs meanwhile. */
async function expectNoUploads(w: S3Test): Promise<void> {
  expect(await w.server.uploads()).toEqual([])
}

/** An upload that was interrupted in its third part. */
async function interrupt(w: S3Test, file: string): Promise<void> {
  w.proxy.inject({ on: 'UploadPart', kind: 'reset', part: 3, times: 1 })
  const store = w.open({ workers: 1, maxAttempts: 1 })
  await expect(store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(await w.server.uploads()).toHaveLength(1)
}

describeS3('a multipart upload', (start) => {
  it('D13: whose creation has not been answered at a shutdown is resumed by the next start', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const stop = new AbortController()
    w.proxy.inject({
      on: 'CreateMultipartUpload',
      kind: 'act-first',
      act: async () => {
        stop.abort()
        await sleep(500)
      },
      times: 1,
    })

    await expect(w.store.put(file, 'x.zip', { signal: stop.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    await w.store.put(file, 'x.zip')

    expect(w.proxy.count('CreateMultipartUpload')).toBe(1)
    await expectNoUploads(w)
  })

  it('D13: whose creation hangs at a shutdown does not delay it for long', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const stop = new AbortController()
    const store = w.open({ idleTimeoutMs: 60_000 })
    w.proxy.injectOnce('CreateMultipartUpload', { kind: 'hang' })
    const attempt = store.put(file, 'x.zip', { signal: stop.signal })
    await sleep(500)

    const at = performance.now()
    stop.abort()

    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' })
    expect(performance.now() - at).toBeLessThan(2000)
  })

  it('D13: is known to later runs although its abort was answered by a gateway', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    await interrupt(w, file)
    const record = await readFile(join(w.dir, RECORD), 'utf8')
    const gateway = { kind: 'response', status: 502, body: '<html>Bad gateway</html>' } as const
    w.proxy.inject({ ...gateway, on: 'AbortMultipartUpload', times: 5 })

    await expect(w.store.abandon(file)).rejects.toMatchObject({ scope: 'destination' })
    expect(await readFile(join(w.dir, RECORD), 'utf8')).toBe(record)

    await w.store.abandon(file)
    await expectNoUploads(w)
  })

  it('D13: is resumed when the endpoint is spelled otherwise', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    await interrupt(w, file)
    const endpoint = `${w.proxy.url.replace('http', 'HTTP')}/`

    expect(await w.open({ endpoint }).put(file, 'x.zip')).toMatchObject({ keptParts: 2 })
    await expectNoUploads(w)
  })

  it.for([
    ['lost in a power-off', ''],
    ['absent', undefined],
  ] as const)('G5: whose record is %s is aborted', async ([, content]) => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    await interrupt(w, file)
    await writeFile(join(w.dir, RECORD), content ?? '')

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ keptParts: 0 })
    await expectNoUploads(w)
  })

  it('G5: is aborted where an attempt was answered and the answer lost', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.injectOnce('CreateMultipartUpload', { kind: 'lost-answer' })

    await w.store.put(file, 'x.zip')

    expect(w.proxy.count('CreateMultipartUpload')).toBe(2)
    await expectNoUploads(w)
  })

  it.for([
    ['403 AccessDenied', 403, 'AccessDenied'],
    ['405 MethodNotAllowed', 405, 'MethodNotAllowed'],
    ['501 NotImplemented', 501, 'NotImplemented'],
    ['400 InvalidRequest', 400, 'InvalidRequest'],
  ] as const)('D7: whose parts cannot be listed (%s) is begun again', async ([, status, code]) => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    await interrupt(w, file)
    w.proxy.inject({ on: 'ListParts', kind: 's3-error', status, code, times: 10 })

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ parts: 5, keptParts: 0 })
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
    await expectNoUploads(w)
  })

  it('D13: is left by none of several transfers of one file at once', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    for (let round = 0; round < 5; round++) {
      const stores = [w.open(), w.open(), w.open()]
      await Promise.all(stores.map((store) => store.put(file, `${round}.zip`)))
    }
    expect(await readdir(w.objects)).toHaveLength(5)
    await expectNoUploads(w)
  })

  it('D13: is left by none of two processes that send one file without a lock', async () => {
    await using w = await start()
    for (let round = 0; round < 3; round++) {
      const file = await randomFile(join(w.dir, `${round}.zip`), 22 * MIB)
      const processes = [w.spawnPut(file, w.s3), w.spawnPut(file, w.s3)]
      await Promise.all(processes.map((each) => once(each, 'exit')))
      // where one gave way, its next attempt finds the object
      await w.store.put(file, 'x.zip')
      await rm(join(w.objects, 'x.zip'))
    }
    await expectNoUploads(w)
  })

  it('D13: is aborted when another process has completed it, and a late part kept it', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.injectOnce('CompleteMultipartUpload', {
      kind: 'act-first',
      act: async () => {
        const record: object = JSON.parse(await readFile(join(w.dir, RECORD), 'utf8'))
        await mkdir(join(w.dir, 'other'))
        await copyFile(file, join(w.dir, 'other/x.zip'))
        await w.open().put(join(w.dir, 'other/x.zip'), 'x.zip')
        await writeFile(join(w.dir, RECORD), JSON.stringify({ ...record, completed: true }))
      },
    })

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored' })
    expect(await readdir(w.dir)).not.toContain(RECORD)
    await expectNoUploads(w)
  })

  it('D13: of one file is made once by two queues', async () => {
    await using w = await start()
    await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    const events: QueueEvent[] = []
    const onEvent = (event: QueueEvent): void => void events.push(event)
    const queues = [w.store, w.open()].map((store) => new UploadQueue(w.dir, store, { onEvent }))

    const results = await Promise.all(queues.map((queue) => queue.sweep()))

    const stored = results.map((result) => result.stored)
    expect(stored.toSorted((a, b) => a - b)).toEqual([0, 1])
    expect(results.map(({ failed }) => failed)).toEqual([0, 0])
    expect(w.proxy.count('CreateMultipartUpload')).toBe(1)
    await expectNoUploads(w)
  })
})

describeS3('a bucket with Object Lock', (start) => {
  it('gets the algorithm at Create, and the checksum of each part at Complete', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    const store = w.open({ checksum: 'supported', workers: 1, maxAttempts: 1 })
    w.proxy.inject({ on: 'UploadPart', kind: 'reset', part: 3, times: 1 })
    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'UNREACHABLE' })

    expect(await store.put(file, 'x.zip')).toMatchObject({ parts: 5, keptParts: 2 })

    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
    const header = 'x-amz-checksum-algorithm'
    expect(w.proxy.headers('CreateMultipartUpload')[0]).toMatchObject({ [header]: 'CRC32' })
    for (const headers of w.proxy.headers('UploadPart')) {
      expect(headers['x-amz-checksum-crc32']).toMatch(/^[\w+/]{6}==$/)
    }
    const parts = w.proxy.bodies('CompleteMultipartUpload')[0] ?? ''
    expect(parts.match(/<ChecksumCRC32>[\w+/]{6}==<\/ChecksumCRC32>/g)).toHaveLength(5)
  })
})
