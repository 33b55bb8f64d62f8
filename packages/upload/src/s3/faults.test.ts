import { appendFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Fault, s3Error } from '../testing/fault-proxy.ts'
import { describeS3, type World } from '../testing/s3.ts'
import { MIB, randomFile, sha256 } from '../testing/files.ts'

const passing: readonly [name: string, fault: Fault][] = [
  ['503 SlowDown', s3Error(503, 'SlowDown')],
  ['500 InternalError', s3Error(500, 'InternalError')],
  ['400 RequestTimeout', s3Error(400, 'RequestTimeout')],
  ['a cut connection', { kind: 'reset' }],
  ['a lost answer', { kind: 'lost' }],
  ['no answer at all', { kind: 'hang' }],
]
const operations = ['head', 'create', 'part', 'complete', 'put'] as const

async function expectArrives(w: World, file: string): Promise<void> {
  expect(await w.store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored', key: 'x.zip' })
  expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
  expect(await readdir(w.objects)).toEqual(['x.zip'])
  expect((await readdir(w.dir)).filter((name) => name.startsWith('.'))).toEqual([])
}

describeS3('an S3 store that misbehaves for a moment', (world) => {
  const all = passing.flatMap(([name, fault]) => operations.map((on) => ({ name, fault, on })))
  // nothing but the limit of the call ends a wait for Complete: it takes a minute and more
  const cases = all.filter(({ fault, on }) => !(fault.kind === 'hang' && on === 'complete'))
  test.for(cases)('$name on $on is got over', async ({ fault, on }) => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), on === 'put' ? 1000 : 12 * MIB)
    w.proxy.fail(on, fault)

    await expectArrives(w, file)

    expect(w.proxy.count(on)).toBeGreaterThan(1)
  })

  test('a store that is silent for longer than is waited for gets more time with each try', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    const store = w.open({ idleTimeoutMs: 300, maxAttempts: 1 })
    // the line is so slow that what was handed over is on its way for a second
    w.proxy.fail('put', { kind: 'meanwhile', act: () => sleep(1000) }, 10)

    const silence = expect.stringContaining('of inactivity') as string
    const failure = { code: 'UNREACHABLE', message: silence }
    await expect(store.put(file, 'x.zip')).rejects.toMatchObject(failure)
    await expect(store.put(file, 'x.zip')).rejects.toMatchObject(failure)
    expect(await store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip' })
  })

  test('200 with an error in it is no success', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.fail('complete', { ...s3Error(200, 'InternalError') })

    await expectArrives(w, file)

    expect(w.proxy.count('complete')).toBe(2)
  })

  test('a store without If-None-Match is asked once', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    w.proxy.fail('put', s3Error(501, 'NotImplemented'))

    await expectArrives(w, file)
    await w.store.put(file, 'y.zip')

    expect(w.proxy.count('put')).toBe(3)
  })

  test('an upload that is aborted under our hands is begun anew', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.fail('part', s3Error(404, 'NoSuchUpload'))

    await expectArrives(w, file)

    expect(w.proxy.count('create')).toBe(2)
    expect(w.proxy.count('abort')).toBe(1)
  })
})

describeS3('an S3 store that fails', (world) => {
  test.for([
    [s3Error(500, 'InternalError'), 'STORE', true],
    [s3Error(503, 'SlowDown'), 'THROTTLED', true],
    [s3Error(507, 'InsufficientStorage'), 'FULL', true],
    [s3Error(400, 'ExpiredToken'), 'EXPIRED', true],
    [s3Error(403, 'RequestTimeTooSkewed'), 'CLOCK', true],
    [s3Error(403, 'AccessDenied'), 'DENIED', false],
    [s3Error(403, 'SignatureDoesNotMatch'), 'WRONG_SECRET', false],
    [s3Error(404, 'NoSuchBucket'), 'NO_BUCKET', false],
    [s3Error(301, 'PermanentRedirect'), 'WRONG_REGION', false],
    [s3Error(307, 'TemporaryRedirect'), 'WRONG_REGION', false],
    [s3Error(501, 'NotImplemented'), 'REFUSED', false],
    [s3Error(400, 'InvalidStorageClass'), 'REFUSED', false],
    [{ kind: 'reset' } as const, 'UNREACHABLE', true],
  ] as const)(
    'in mid-upload with %o says %s, and the next try goes on',
    async ([fault, code, retryable]) => {
      await using w = await world()
      const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
      const store = w.open({ workers: 1, maxAttempts: 1 })
      w.proxy.fail('part', { kind: 'meanwhile', act: async () => {} }, 2)
      w.proxy.fail('part', fault, 1)

      const failure = await store.put(file, 'x.zip').catch((error: unknown) => error)

      expect(failure).toMatchObject({
        name: 'UploadError',
        code,
        retryable,
        subject: `${w.url}/x.zip`,
      })
      const stored = await store.put(file, 'x.zip')
      // what cannot be trusted is not kept
      expect(stored.keptParts).toBe(['MISMATCH'].includes(code) ? 0 : 2)
      expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
    },
  )

  test('lies about the size: the file is not taken for stored', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    w.proxy.fail('head', { kind: 'meanwhile', act: async () => {} })
    w.proxy.fail('head', { kind: 'lie', headers: { 'content-length': '999' } })

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'MISMATCH',
      retryable: true,
    })
    expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip' })
  })

  test('refuses to be asked for a moment: nothing is known, and it is tried again', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    w.proxy.fail('head', { kind: 'answer', status: 400 }, 2)

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'STORE',
      retryable: true,
    })
    expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip', outcome: 'existing' })
  })

  test('has a part of our own upload only: it is replaced, not kept beside', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    // the lie is heard by the look before the second upload
    w.proxy.fail('head', { kind: 'meanwhile', act: async () => {} }, 2)
    w.proxy.fail('head', { kind: 'lie', headers: { 'content-length': '999' } })
    await w.store.put(file, 'x.zip')

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip', outcome: 'stored' })
    expect(w.proxy.count('put')).toBe(2)
  })

  test.for([
    ['the ETag of another', { kind: 'lie', headers: { etag: `"${'0'.repeat(32)}"` } }, 2],
    ['the page of a proxy', { kind: 'answer', status: 200, body: '<html>Log in</html>' }, 1],
  ] as const)('answers a part with %s: all is sent anew', async ([, fault, times]) => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    w.proxy.fail('part', fault, times)

    await expectArrives(w, file)

    expect(w.proxy.count('create')).toBe(2)
  })

  test('has lost a part when all were sent: it is sent anew', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.fail('complete', s3Error(400, 'InvalidPart'))

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'STORE',
      retryable: true,
    })
    await expectArrives(w, file)
  })

  test('loses its bucket in mid-upload: it says so, and all is well when the bucket is back', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const away = `${w.server.bucket}-away`
    w.proxy.fail('complete', { kind: 'meanwhile', act: () => rename(w.server.bucket, away) })

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'NO_BUCKET' })
    await rename(away, w.server.bucket)

    await expectArrives(w, file)
  })

  test('dies in mid-upload: the next try keeps what it has', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    const store = w.open({ workers: 1, maxAttempts: 2 })
    w.proxy.fail('part', { kind: 'meanwhile', act: async () => {} }, 3)
    w.proxy.fail('part', { kind: 'meanwhile', act: () => w.server.kill() })

    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await w.server.up()

    expect(await store.put(file, 'x.zip')).toMatchObject({ parts: 5, keptParts: 3 })
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
  })

  test('does not let us verify: it is said, and gigabytes are not sent again to learn the same', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.fail('head', { kind: 'answer', status: 403 }, 4)

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('s3:GetObject'),
    })
    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'DENIED' })
    expect(w.proxy.count('part')).toBe(3)

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ outcome: 'existing', key: 'x.zip' })
  })
})

describeS3('a file on its way to an S3 store', (world) => {
  test.for([
    ['grows', (file: string) => appendFile(file, 'more')],
    ['is written to', (file: string) => writeFile(file, 'new', { flag: 'r+' })],
    ['shrinks', (file: string) => writeFile(file, 'less')],
  ] as const)('that %s is not completed, and sent anew', async ([, act]) => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const store = w.open({ workers: 1 })
    w.proxy.fail('part', { kind: 'meanwhile', act: () => act(file) })

    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'CHANGED',
      retryable: true,
    })
    expect(w.proxy.count('complete')).toBe(0)

    await expectArrives(w, file)
  })

  test('that is deleted arrives all the same', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const before = await sha256(file)
    w.proxy.fail('part', { kind: 'meanwhile', act: () => rm(file) })

    await w.store.put(file, 'x.zip')

    expect(await sha256(join(w.objects, 'x.zip'))).toBe(before)
    expect(await readdir(w.dir)).toEqual([])
  })

  test('stops with its signal, at once, and goes on later', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    const store = w.open({ workers: 1, idleTimeoutMs: 60_000 })
    const stop = new AbortController()
    w.proxy.fail('part', { kind: 'meanwhile', act: async () => {} }, 2)
    w.proxy.fail('part', { kind: 'hang' })
    const attempt = store.put(file, 'x.zip', {
      signal: stop.signal,
      onProgress: ({ bytes }) => void (bytes === 10 * MIB && setTimeout(() => stop.abort(), 100)),
    })
    attempt.catch(() => {})
    await new Promise((resolve) => stop.signal.addEventListener('abort', resolve))

    const at = performance.now()
    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' })
    expect(performance.now() - at).toBeLessThan(1000)

    expect(await store.put(file, 'x.zip')).toMatchObject({ parts: 5, keptParts: 2 })
  })

  test('whose upload is forgotten leaves no parts in the store', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.fail('complete', s3Error(403, 'AccessDenied'))
    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'DENIED' })

    await w.store.abandon(file)

    expect(w.proxy.count('abort')).toBe(1)
    expect(await readdir(w.dir)).toEqual(['x.zip'])
  })

  test('has a record that makes no sense: it is sent from the start', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    await writeFile(join(w.dir, '.x.zip.upload.json'), '{"uploadId": 7, "file": ["../../etc"]')

    await expectArrives(w, file)
  })
})
