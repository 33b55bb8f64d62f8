import { appendFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Misbehaviour } from '@core-dump-handler/testing/store/fault-proxy'
import { MIB, randomFile, sha256 } from '@core-dump-handler/testing/random-file'
import { describeS3, type S3Test } from '@core-dump-handler/testing/upload/s3-test'

const passing: readonly [name: string, fault: Misbehaviour][] = [
  ['503 SlowDown', { kind: 's3-error', status: 503, code: 'SlowDown' }],
  ['500 InternalError', { kind: 's3-error', status: 500, code: 'InternalError' }],
  ['400 RequestTimeout', { kind: 's3-error', status: 400, code: 'RequestTimeout' }],
  ['a cut connection', { kind: 'reset' }],
  ['a lost answer', { kind: 'lost-answer' }],
  ['no answer at all', { kind: 'hang' }],
]
const operations = [
  'HeadObject',
  'CreateMultipartUpload',
  'UploadPart',
  'CompleteMultipartUpload',
  'PutObject',
] as const

async function expectArrives(w: S3Test, file: string): Promise<void> {
  expect(await w.store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored', key: 'x.zip' })
  expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
  expect(await readdir(w.objects)).toEqual(['x.zip'])
  expect((await readdir(w.dir)).filter((name) => name.startsWith('.'))).toEqual([])
}

describeS3('put, when the store fails for a moment,', (start) => {
  const all = passing.flatMap(([name, fault]) => operations.map((on) => ({ name, fault, on })))
  // nothing but the limit of the call ends a wait for Complete: it takes a minute and more
  const cases = all.filter(
    ({ fault, on }) => !(fault.kind === 'hang' && on === 'CompleteMultipartUpload'),
  )
  it.for(cases)('retries after $name on $on [agent-9, agent-10]', async ({ fault, on }) => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), on === 'PutObject' ? 1000 : 12 * MIB)
    w.proxy.injectOnce(on, fault)

    await expectArrives(w, file)

    expect(w.proxy.count(on)).toBeGreaterThan(1)
  })

  it('waits longer for a store with each attempt that times out [agent-6]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    const store = w.open({ idleTimeoutMs: 300, maxAttempts: 1 })
    // a line so slow that what was written to it arrives a second later
    w.proxy.inject({ on: 'PutObject', kind: 'act-first', act: () => sleep(1000), times: 10 })

    const failure = { code: 'UNREACHABLE', message: expect.stringContaining('of inactivity') }
    await expect(store.put(file, 'x.zip')).rejects.toMatchObject(failure)
    await expect(store.put(file, 'x.zip')).rejects.toMatchObject(failure)
    expect(await store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip' })
  })

  it('retries after 200 with an error in the body [B5]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.injectOnce('CompleteMultipartUpload', {
      kind: 's3-error',
      status: 200,
      code: 'InternalError',
    })

    await expectArrives(w, file)

    expect(w.proxy.count('CompleteMultipartUpload')).toBe(2)
  })

  it('sends If-None-Match once to a store that does not know it', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    w.proxy.injectOnce('PutObject', { kind: 's3-error', status: 501, code: 'NotImplemented' })

    await expectArrives(w, file)
    await w.store.put(file, 'y.zip')

    expect(w.proxy.count('PutObject')).toBe(3)
  })

  it('begins an aborted multipart upload again [agent-15]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.injectOnce('UploadPart', { kind: 's3-error', status: 404, code: 'NoSuchUpload' })

    await expectArrives(w, file)

    expect(w.proxy.count('CreateMultipartUpload')).toBe(2)
    expect(w.proxy.count('AbortMultipartUpload')).toBe(1)
  })
})

describeS3('put, when the store fails,', (start) => {
  it.for([
    [{ kind: 's3-error', status: 500, code: 'InternalError' }, 'STORE', true],
    [{ kind: 's3-error', status: 503, code: 'SlowDown' }, 'THROTTLED', true],
    [{ kind: 's3-error', status: 507, code: 'InsufficientStorage' }, 'FULL', true],
    [{ kind: 's3-error', status: 400, code: 'ExpiredToken' }, 'EXPIRED', true],
    [{ kind: 's3-error', status: 403, code: 'RequestTimeTooSkewed' }, 'CLOCK', true],
    [{ kind: 's3-error', status: 403, code: 'AccessDenied' }, 'DENIED', false],
    [{ kind: 's3-error', status: 403, code: 'SignatureDoesNotMatch' }, 'WRONG_SECRET', false],
    [{ kind: 's3-error', status: 404, code: 'NoSuchBucket' }, 'NO_BUCKET', false],
    [{ kind: 's3-error', status: 301, code: 'PermanentRedirect' }, 'WRONG_REGION', false],
    [{ kind: 's3-error', status: 307, code: 'TemporaryRedirect' }, 'WRONG_REGION', false],
    [{ kind: 's3-error', status: 501, code: 'NotImplemented' }, 'REFUSED', false],
    [{ kind: 's3-error', status: 400, code: 'InvalidStorageClass' }, 'REFUSED', false],
    [{ kind: 'reset' } as const, 'UNREACHABLE', true],
  ] as const)(
    'during an upload with %o, rejects with %s and resumes at the next attempt [agent-13]',
    async ([fault, code, retryable]) => {
      await using w = await start()
      const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
      const store = w.open({ workers: 1, maxAttempts: 1 })
      w.proxy.inject({ ...fault, on: 'UploadPart', part: 3, times: 1 })

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

  it('rejects with MISMATCH after a HEAD of another size [agent-8, B5]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    const headers = { 'content-length': '999' }
    w.proxy.inject({ on: 'HeadObject', kind: 'changed-headers', headers, after: 1, times: 1 })

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'MISMATCH',
      retryable: true,
    })
    expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip' })
  })

  it('rejects as retryable when every HEAD is refused', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    w.proxy.inject({ on: 'HeadObject', kind: 'response', status: 400, times: 2 })

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'STORE',
      retryable: true,
    })
    expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip', outcome: 'existing' })
  })

  it('replaces an object that holds only a part of its own upload', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 1000)
    // at the HEAD before the second upload
    const headers = { 'content-length': '999' }
    w.proxy.inject({ on: 'HeadObject', kind: 'changed-headers', headers, after: 2, times: 1 })
    await w.store.put(file, 'x.zip')

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip', outcome: 'stored' })
    expect(w.proxy.count('PutObject')).toBe(2)
  })

  it.for([
    [
      'the ETag of another',
      { kind: 'changed-headers', headers: { etag: `"${'0'.repeat(32)}"` } },
      2,
    ],
    ['the page of a proxy', { kind: 'response', status: 200, body: '<html>Log in</html>' }, 1],
  ] as const)(
    'sends everything again after a part was answered with %s [agent-7]',
    async ([, fault, times]) => {
      await using w = await start()
      const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
      w.proxy.inject({ ...fault, on: 'UploadPart', times })

      await expectArrives(w, file)

      expect(w.proxy.count('CreateMultipartUpload')).toBe(2)
    },
  )

  it('sends everything again when the store has lost a part at completion [agent-16]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.injectOnce('CompleteMultipartUpload', {
      kind: 's3-error',
      status: 400,
      code: 'InvalidPart',
    })

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'STORE',
      retryable: true,
      resumable: false,
    })
    await expectArrives(w, file)
  })

  it('rejects with NO_BUCKET when the bucket disappears during an upload, and stores the file when it is back [agent-14]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const away = `${w.server.folder}-away`
    w.proxy.injectOnce('CompleteMultipartUpload', {
      kind: 'act-first',
      act: () => rename(w.server.folder, away),
    })

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'NO_BUCKET' })
    await rename(away, w.server.folder)

    await expectArrives(w, file)
  })

  it('keeps the parts of an upload during which the store was killed', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    const store = w.open({ workers: 1, maxAttempts: 2 })
    const act = (): Promise<void> => w.server.kill()
    w.proxy.inject({ on: 'UploadPart', kind: 'act-first', act, part: 4, times: 1 })

    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await w.server.up()

    expect(await store.put(file, 'x.zip')).toMatchObject({ parts: 5, keptParts: 3 })
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
  })

  it('does not send an object again that it was not allowed to verify', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.inject({ on: 'HeadObject', kind: 'response', status: 403, times: 4 })

    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('s3:GetObject'),
    })
    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'DENIED' })
    expect(w.proxy.count('UploadPart')).toBe(3)

    expect(await w.store.put(file, 'x.zip')).toMatchObject({ outcome: 'existing', key: 'x.zip' })
  })
})

describeS3('put, during the upload,', (start) => {
  it.for([
    ['grows', (file: string) => appendFile(file, 'more')],
    ['is written to', (file: string) => writeFile(file, 'new', { flag: 'r+' })],
    ['shrinks', (file: string) => writeFile(file, 'less')],
  ] as const)(
    'rejects with CHANGED when the file %s, and sends it again [agent-17]',
    async ([, act]) => {
      await using w = await start()
      const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
      const store = w.open({ workers: 1 })
      w.proxy.injectOnce('UploadPart', { kind: 'act-first', act: () => act(file) })

      await expect(store.put(file, 'x.zip')).rejects.toMatchObject({
        code: 'CHANGED',
        retryable: true,
      })
      expect(w.proxy.count('CompleteMultipartUpload')).toBe(0)

      await expectArrives(w, file)
    },
  )

  it('stores a file that is deleted [agent-19]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const before = await sha256(file)
    w.proxy.injectOnce('UploadPart', { kind: 'act-first', act: () => rm(file) })

    await w.store.put(file, 'x.zip')

    expect(await sha256(join(w.objects, 'x.zip'))).toBe(before)
    expect(await readdir(w.dir)).toEqual([])
  })

  it('rejects at once when the signal aborts, and resumes later', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 22 * MIB)
    const store = w.open({ workers: 1, idleTimeoutMs: 60_000 })
    const stop = new AbortController()
    w.proxy.inject({ on: 'UploadPart', kind: 'hang', part: 3, times: 1 })
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

  it('leaves no parts in the store after abandon()', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    w.proxy.injectOnce('CompleteMultipartUpload', {
      kind: 's3-error',
      status: 403,
      code: 'AccessDenied',
    })
    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'DENIED' })

    await w.store.abandon(file)

    expect(w.proxy.count('AbortMultipartUpload')).toBe(1)
    expect(await readdir(w.dir)).toEqual(['x.zip'])
  })

  it('sends the whole file when the resume record is invalid', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    await writeFile(join(w.dir, '.x.zip.upload.json'), '{"uploadId": 7, "file": ["../../etc"]')

    await expectArrives(w, file)
  })
})
