import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { MIB } from '../testing/files.ts'
import { describeS3 } from '../testing/s3.ts'

async function* chunks(content: Buffer, fault?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000)
  if (fault) throw fault
}

describeS3('a stream to an S3 store', (world) => {
  test.for([0, 1000, 17 * MIB])('arrives whole with %d bytes', async (bytes) => {
    await using w = await world()
    const content = randomBytes(bytes)

    const stored = await w.store.putStream(Readable.from(chunks(content)), 'x.zip')

    expect(stored).toMatchObject({ url: `${w.url}/x.zip`, bytes, outcome: 'stored' })
    expect(content.equals(await readFile(join(w.objects, 'x.zip')))).toBe(true)
  })

  test('goes beside an object that has its key', async () => {
    await using w = await world()
    await w.occupy('x.zip', 'first')

    const stored = await w.store.putStream(chunks(randomBytes(10)), 'x.zip', { uniqueId: 'uuid' })

    expect(stored).toMatchObject({ key: 'x-uuid.zip', takenKey: 'x.zip', bytes: 10 })
    expect(await readFile(join(w.objects, 'x.zip'), 'utf8')).toBe('first')
  })

  test('that breaks off leaves nothing', async () => {
    await using w = await world()
    const source = chunks(randomBytes(12 * MIB), new Error('composer died'))

    const attempt = w.store.putStream(source, 'x.zip')

    await expect(attempt).rejects.toMatchObject({ code: 'UNREADABLE', scope: 'file' })
    await expect(readdir(w.objects)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(w.proxy.count('abort')).toBe(1)
  })

  test('that is longer than allowed is refused, not cut', async () => {
    await using w = await world()

    const attempt = w.store.putStream(chunks(randomBytes(12 * MIB)), 'x.zip', { maxBytes: 6 * MIB })

    await expect(attempt).rejects.toMatchObject({ code: 'TOO_LARGE' })
    await expect(readdir(w.objects)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('ends with its signal', async () => {
    await using w = await world()
    const stop = new AbortController()
    w.proxy.fail('part', { kind: 'hang' }, 9)

    const attempt = w.store.putStream(chunks(randomBytes(12 * MIB)), 'x.zip', {
      signal: stop.signal,
    })
    setTimeout(() => stop.abort(), 300)

    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
