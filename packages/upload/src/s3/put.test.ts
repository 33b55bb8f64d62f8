import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { expect, test } from 'vitest'
import type { Progress } from '../index.ts'
import { MIB, randomFile, sha256 } from '../testing/files.ts'
import { describeS3 } from '../testing/s3.ts'
import { CREDENTIALS } from '../testing/versitygw.ts'

describeS3('a file to an S3 store', (world) => {
  test.for([0, 1, 5 * MIB, 5 * MIB + 1, 17 * MIB])('arrives whole with %d bytes', async (bytes) => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), bytes)

    const stored = await w.store.put(file, 'x.zip')

    expect(stored).toMatchObject({
      url: `${w.url}/x.zip`,
      key: 'x.zip',
      bytes,
      outcome: 'stored',
      parts: bytes > 5 * MIB ? Math.ceil(bytes / (5 * MIB)) : 0,
    })
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
    // the file is its owner's, and nothing else is left
    expect(await readdir(w.dir)).toEqual(['x.zip'])
    expect(w.proxy.seen.at(-1)).toBe('head')
  })

  test.for([1000, 12 * MIB])(
    'is not sent again when it is there already (%d bytes) [store-1]',
    async (bytes) => {
      await using w = await world()
      const file = await randomFile(join(w.dir, 'x.zip'), bytes)
      await w.store.put(file, 'x.zip')
      // another inode with the same content, as another node would have it
      await writeFile(join(w.dir, 'copy.zip'), await readFile(file))

      expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip', outcome: 'existing' })
      const again = await w.store.put(join(w.dir, 'copy.zip'), 'x.zip')

      expect(again).toMatchObject({ key: 'x.zip', outcome: 'existing' })
      expect(w.proxy.count('put') + w.proxy.count('complete')).toBe(1)
    },
  )

  test.for([1000, 12 * MIB])(
    'never replaces another content of its size (%d bytes) [store-2]',
    async (bytes) => {
      await using w = await world()
      const first = await randomFile(join(w.dir, 'a.zip'), bytes)
      const second = await randomFile(join(w.dir, 'b.zip'), bytes)
      const third = await randomFile(join(w.dir, 'c.zip'), bytes)
      await w.store.put(first, 'x.zip')

      const byUuid = await w.store.put(second, 'x.zip', { uniqueId: 'uuid' })
      const byHash = await w.store.put(third, 'x.zip', { uniqueId: 'uuid' })
      const again = await w.store.put(third, 'x.zip', { uniqueId: 'uuid' })

      expect(byUuid).toMatchObject({ key: 'x-uuid.zip', takenKey: 'x.zip', outcome: 'stored' })
      const hash = (await sha256(third)).slice(0, 12)
      expect(byHash).toMatchObject({ key: `x-${hash}.zip`, takenKey: 'x.zip', outcome: 'stored' })
      expect(again).toMatchObject({ key: byHash.key, outcome: 'existing' })
      for (const [key, file] of [
        ['x.zip', first],
        ['x-uuid.zip', second],
        [byHash.key, third],
      ] as const) {
        expect(await sha256(join(w.objects, key))).toBe(await sha256(file))
      }
    },
  )

  test('of another size is kept beside it [store-2]', async () => {
    await using w = await world()
    await w.occupy('x.zip', 'not a zip')
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)

    const stored = await w.store.put(file, 'x.zip', { uniqueId: 'uuid' })

    expect(stored).toMatchObject({ key: 'x-uuid.zip', takenKey: 'x.zip' })
    expect(await readFile(join(w.objects, 'x.zip'), 'utf8')).toBe('not a zip')
  })

  test.for([1000, 12 * MIB])(
    'is compared by MD5 with what others have put there (%d bytes)',
    async (bytes) => {
      await using w = await world()
      const file = await randomFile(join(w.dir, 'x.zip'), bytes)
      const { credentials = CREDENTIALS, region = '' } = w.s3
      const client = new S3Client({
        endpoint: w.server.url,
        region,
        credentials,
        forcePathStyle: true,
      })
      for (const [Key, from] of [
        ['same.zip', file],
        ['other.zip', await randomFile(join(w.dir, 'y'), bytes)],
      ] as const) {
        const params = { Bucket: 'bucket', Key: `${w.prefix}/${Key}`, Body: await readFile(from) }
        await new Upload({ client, params, partSize: 5 * MIB }).done()
      }
      client.destroy()

      expect(await w.store.put(file, 'same.zip')).toMatchObject({
        outcome: 'existing',
        key: 'same.zip',
      })
      expect(await w.store.put(file, 'other.zip')).toMatchObject({
        outcome: 'stored',
        takenKey: 'other.zip',
      })
    },
  )

  test('that is taken while it is sent goes beside what came first [store-3]', async () => {
    await using w = await world()
    const rival = await randomFile(join(w.dir, 'rival.zip'), 1000)
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const act = (): Promise<unknown> => w.open({ endpoint: w.server.url }).put(rival, 'x.zip')
    w.proxy.fail('complete', { kind: 'meanwhile', act })

    const stored = await w.store.put(file, 'x.zip', { uniqueId: 'uuid' })

    expect(stored).toMatchObject({ key: 'x-uuid.zip', takenKey: 'x.zip' })
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(rival))
    expect(await sha256(join(w.objects, 'x-uuid.zip'))).toBe(await sha256(file))
    expect(w.proxy.count('abort')).toBe(1)
  })

  test('tells how far it is', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const told: Progress[] = []

    await w.store.put(file, 'x.zip', { onProgress: (progress) => told.push(progress) })

    expect(told.map(({ bytes }) => bytes).toSorted((a, b) => a - b)).toEqual(
      told.map(({ bytes }) => bytes),
    )
    expect(told.at(-1)).toEqual({ bytes: 12 * MIB, totalBytes: 12 * MIB })
    expect(told).toHaveLength(3)
  })

  test('is refused when it is no regular file, and when the key would leave the prefix', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 10)

    await expect(w.store.put(w.dir, 'x.zip')).rejects.toMatchObject({ code: 'UNREADABLE' })
    await expect(w.store.put(join(w.dir, 'no.zip'), 'x')).rejects.toMatchObject({ code: 'GONE' })
    for (const key of ['', '../x', 'a//b', 'a/./b', 'a\nb', 'x'.repeat(1025)]) {
      await expect(w.store.put(file, key)).rejects.toMatchObject({ code: 'INVALID' })
    }
    expect(w.proxy.seen).toEqual([])
  })

  test('two transfers of one file at once end with one object [store-4]', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const other = w.open()

    const both = await Promise.all([w.store.put(file, 'x.zip'), other.put(file, 'x.zip')])

    expect(both.map(({ key }) => key)).toEqual(['x.zip', 'x.zip'])
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
    expect(await readdir(w.objects)).toEqual(['x.zip'])
  })

  test('a name as long as a file system takes is stored and resumed all the same', async () => {
    await using w = await world()
    const name = `${'n'.repeat(251)}.zip`
    const file = await randomFile(join(w.dir, name), 12 * MIB)
    w.proxy.fail('part', { kind: 'answer', status: 403 })

    await expect(w.store.put(file, name)).rejects.toMatchObject({ code: 'DENIED' })
    expect((await readdir(w.dir)).length).toBe(2)
    const stored = await w.store.put(file, name)

    expect(stored.keptParts).toBeGreaterThan(0)
    expect((await stat(join(w.objects, name))).size).toBe(12 * MIB)
  })
})
