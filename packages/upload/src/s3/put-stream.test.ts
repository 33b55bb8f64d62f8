import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { MIB } from '@core-dump-handler/testing/random-file'
import { describeS3 } from '@core-dump-handler/testing/upload/s3-test'

async function* chunks(content: Buffer, fault?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000)
  if (fault) throw fault
}

describeS3('putStream', (start) => {
  it.for([0, 1000, 17 * MIB])('stores %d bytes', async (bytes) => {
    await using w = await start()
    const content = randomBytes(bytes)

    const stored = await w.store.putStream(Readable.from(chunks(content)), 'x.zip')

    expect(stored).toMatchObject({ url: `${w.url}/x.zip`, bytes, outcome: 'stored' })
    expect(content.equals(await readFile(join(w.objects, 'x.zip')))).toBe(true)
  })

  it('stores beside an object that has the key', async () => {
    await using w = await start()
    await w.occupy('x.zip', 'first')

    const stored = await w.store.putStream(chunks(randomBytes(10)), 'x.zip', { uniqueId: 'uuid' })

    expect(stored).toMatchObject({ key: 'x-uuid.zip', takenKey: 'x.zip', bytes: 10 })
    expect(await readFile(join(w.objects, 'x.zip'), 'utf8')).toBe('first')
  })

  it('leaves nothing of a stream that fails', async () => {
    await using w = await start()
    const source = chunks(randomBytes(12 * MIB), new Error('composer died'))

    const attempt = w.store.putStream(source, 'x.zip')

    await expect(attempt).rejects.toMatchObject({ code: 'UNREADABLE', scope: 'file' })
    await expect(readdir(w.objects)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(w.proxy.count('AbortMultipartUpload')).toBe(1)
  })

  it('rejects a stream longer than maxBytes and stores nothing of it', async () => {
    await using w = await start()

    const attempt = w.store.putStream(chunks(randomBytes(12 * MIB)), 'x.zip', { maxBytes: 6 * MIB })

    await expect(attempt).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await expect(readdir(w.objects)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('rejects when the signal aborts', async () => {
    await using w = await start()
    const stop = new AbortController()
    w.proxy.inject({ on: 'UploadPart', kind: 'hang', times: 9 })

    const attempt = w.store.putStream(chunks(randomBytes(12 * MIB)), 'x.zip', {
      signal: stop.signal,
    })
    setTimeout(() => stop.abort(), 300)

    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
