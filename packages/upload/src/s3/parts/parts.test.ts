import { randomBytes } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PartsState, PartsWriter } from '../../index.ts'
import { openDestination } from '../../index.ts'
import { s3Error } from '../../testing/fault-proxy.ts'
import { MIB, scratch } from '../../testing/files.ts'
import { describeS3 } from '../../testing/s3.ts'

async function give(writer: PartsWriter, content: Buffer): Promise<void> {
  for (let at = 0; at < content.length; at += 300_000) {
    await writer.write(content.subarray(at, at + 300_000))
  }
}

describeS3('an object made of bytes as they come', (world) => {
  test.for([0, 1000, 5 * MIB, 5 * MIB + 1, 10 * MIB, 17 * MIB])(
    'arrives whole with %d bytes, and is verified',
    async (bytes) => {
      await using w = await world()
      const content = randomBytes(bytes)
      const told: number[] = []

      const writer = await w.store.putParts('x.zip', {
        onConfirmed: ({ etags }) => void told.push(etags.length),
      })
      await give(writer, content)
      const stored = await writer.finish()

      const parts = bytes >= 5 * MIB ? Math.ceil(bytes / (5 * MIB)) : 0
      expect(stored).toMatchObject({ url: `${w.url}/x.zip`, key: 'x.zip', bytes, parts })
      expect(content.equals(await readFile(join(w.objects, 'x.zip')))).toBe(true)
      // of a last one that is shorter its giver hears by the end alone
      expect(told).toEqual(
        Array.from({ length: parts && Math.floor(bytes / (5 * MIB)) }, (_, n) => n + 1),
      )
      expect(w.proxy.count('head')).toBe(1)
    },
  )

  test('is gone on with by another writer, from what was confirmed', async () => {
    await using w = await world()
    const content = randomBytes(23 * MIB)
    const first = await w.store.putParts('x.zip')
    await give(first, content.subarray(0, 16 * MIB))
    await expect.poll(() => first.confirmedBytes, { timeout: 5000 }).toBe(15 * MIB)
    expect(Buffer.concat(first.unconfirmed()).equals(content.subarray(15 * MIB, 16 * MIB))).toBe(
      true,
    )
    await first.leave()
    const state = JSON.parse(JSON.stringify(first.state)) as PartsState

    const second = await w.open().putParts('x.zip', { resume: state })
    await give(second, content.subarray(second.confirmedBytes))

    expect(await second.finish()).toMatchObject({ bytes: content.length, parts: 5, keptParts: 3 })
    expect(content.equals(await readFile(join(w.objects, 'x.zip')))).toBe(true)
  })

  test('that was completed by a writer whose end nobody heard of is only looked at', async () => {
    await using w = await world()
    const content = randomBytes(11 * MIB)
    const first = await w.store.putParts('x.zip')
    await give(first, content)
    await first.finish()
    const sent = w.proxy.count('part')

    const resume = first.state as PartsState
    const second = await w.open().putParts('x.zip', { resume })
    await give(second, content.subarray(second.confirmedBytes))

    expect(await second.finish()).toMatchObject({ bytes: content.length })
    expect(w.proxy.count('part')).toBe(sent)
  })

  test('whose beginning the store has dropped says so, and takes nothing', async () => {
    await using w = await world()
    const first = await w.store.putParts('x.zip')
    await give(first, randomBytes(11 * MIB))
    await expect.poll(() => first.confirmedBytes, { timeout: 5000 }).toBe(10 * MIB)
    const resume = first.state as PartsState
    await first.abort()

    await expect(w.store.putParts('x.zip', { resume })).rejects.toMatchObject({
      code: 'MISMATCH',
      storeCode: 'NoSuchUpload',
      retryable: false,
      message: expect.stringContaining('dropped the beginning'),
    })
    const elsewhere = { ...resume, store: 'aws other' }
    await expect(w.store.putParts('x.zip', { resume: elsewhere })).rejects.toMatchObject({
      code: 'INVALID',
    })
  })

  test('of which a part fails for good tells its giver, also one who waits for a buffer', async () => {
    await using w = await world()
    w.proxy.fail('part', s3Error(403, 'AccessDenied'), 1000)
    const writer = await w.store.putParts('x.zip')

    await expect(give(writer, randomBytes(25 * MIB))).rejects.toMatchObject({ code: 'DENIED' })

    expect(writer.state).toBeUndefined()
    expect(Buffer.concat(writer.unconfirmed()).length).toBeGreaterThanOrEqual(5 * MIB)
    await writer.abort()
    expect(await readdir(w.objects).catch(() => [])).not.toContain('x.zip')
  })

  test.for(['create', 'part'])('that is given up during a %s leaves no upload', async (on) => {
    await using w = await world()
    const reached = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const act = async (): Promise<void> => {
      reached.resolve()
      await goOn.promise
    }
    w.proxy.fail(on, { kind: 'meanwhile', act })
    const writer = await w.store.putParts('x.zip')
    await give(writer, randomBytes(6 * MIB))
    await reached.promise

    const given = writer.abort()
    setTimeout(goOn.resolve, 200)
    await given

    // what is cut short may end in the store behind the first one
    expect(w.proxy.count('abort')).toBe(2)
    await expect.poll(() => w.uploads()).toEqual([])
  })

  test('never replaces what has its key', async () => {
    await using w = await world()
    for (const content of [Buffer.from('first'), randomBytes(11 * MIB)]) {
      const writer = await w.store.putParts('x.zip')
      await give(writer, content)
      const attempt = writer.finish()
      if (content.length > 5) await expect(attempt).rejects.toMatchObject({ code: 'MISMATCH' })
      else await attempt
    }

    expect(await readFile(join(w.objects, 'x.zip'), 'utf8')).toBe('first')
  })

  test.for(['create', 'part', 'complete', 'head'])('gets over a lost answer on %s', async (on) => {
    await using w = await world()
    const content = randomBytes(12 * MIB)
    w.proxy.fail(on, { kind: 'lost' })

    const writer = await w.store.putParts('x.zip')
    await give(writer, content)

    expect(await writer.finish()).toMatchObject({ parts: 3 })
    expect(content.equals(await readFile(join(w.objects, 'x.zip')))).toBe(true)
  })

  test('of more than 10,000 parts gets larger ones', async () => {
    await using w = await world()
    const writer = await w.store.putParts('x.zip', { expectedBytes: 60 * 1024 ** 3 })
    await give(writer, randomBytes(9 * MIB))
    expect(await writer.finish()).toMatchObject({ parts: 2 })
  })
})

test('a directory takes none, and says so', async () => {
  await using tmp = await scratch()
  const destination = openDestination(`file:${tmp.dir}`)
  await expect(destination.putParts('x.zip')).rejects.toMatchObject({
    code: 'INVALID',
    message: expect.stringContaining('s3://'),
  })
})
