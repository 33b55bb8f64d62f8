import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { expect, it } from 'vitest'
import type { Progress } from '../index.ts'
import { MIB, randomFile, sha256 } from '@core-dump-handler/testing/random-file'
import { describeS3 } from '@core-dump-handler/testing/upload/s3-test'
import { BUCKET, REGION } from '@core-dump-handler/testing/store/object-store'

describeS3('put', (start) => {
  it.for([0, 1, 5 * MIB, 5 * MIB + 1, 17 * MIB])('stores %d bytes', async (bytes) => {
    await using w = await start()
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
    // the file stays, and nothing is left beside it
    expect(await readdir(w.dir)).toEqual(['x.zip'])
    expect(w.proxy.seen.at(-1)).toBe('HeadObject')
  })

  it.for([1000, 12 * MIB])(
    'does not send identical content again (%d bytes) [store-1]',
    async (bytes) => {
      await using w = await start()
      const file = await randomFile(join(w.dir, 'x.zip'), bytes)
      await w.store.put(file, 'x.zip')
      // another inode with the same content, as another node would have it
      await writeFile(join(w.dir, 'copy.zip'), await readFile(file))

      expect(await w.store.put(file, 'x.zip')).toMatchObject({ key: 'x.zip', outcome: 'existing' })
      const again = await w.store.put(join(w.dir, 'copy.zip'), 'x.zip')

      expect(again).toMatchObject({ key: 'x.zip', outcome: 'existing' })
      expect(w.proxy.count('PutObject') + w.proxy.count('CompleteMultipartUpload')).toBe(1)
    },
  )

  it.for([1000, 12 * MIB])(
    'never replaces another content of the same size (%d bytes) [store-2]',
    async (bytes) => {
      await using w = await start()
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

  it('stores beside an object of another size [store-2]', async () => {
    await using w = await start()
    await w.occupy('x.zip', 'not a zip')
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)

    const stored = await w.store.put(file, 'x.zip', { uniqueId: 'uuid' })

    expect(stored).toMatchObject({ key: 'x-uuid.zip', takenKey: 'x.zip' })
    expect(await readFile(join(w.objects, 'x.zip'), 'utf8')).toBe('not a zip')
  })

  it.for([1000, 12 * MIB])(
    'compares by MD5 with the object of another program (%d bytes)',
    async (bytes) => {
      await using w = await start()
      const file = await randomFile(join(w.dir, 'x.zip'), bytes)
      const client = new S3Client({
        endpoint: w.server.endpoint,
        region: REGION,
        credentials: { ...w.credentials },
        forcePathStyle: true,
      })
      for (const [Key, from] of [
        ['identical.zip', file],
        ['different.zip', await randomFile(join(w.dir, 'y'), bytes)],
      ] as const) {
        const params = { Bucket: BUCKET, Key: `${w.prefix}/${Key}`, Body: await readFile(from) }
        await new Upload({ client, params, partSize: 5 * MIB }).done()
      }
      client.destroy()

      expect(await w.store.put(file, 'identical.zip')).toMatchObject({
        outcome: 'existing',
        key: 'identical.zip',
      })
      expect(await w.store.put(file, 'different.zip')).toMatchObject({
        outcome: 'stored',
        takenKey: 'different.zip',
      })
    },
  )

  it('stores beside an object that took the key during the upload [store-3]', async () => {
    await using w = await start()
    const other = await randomFile(join(w.dir, 'other.zip'), 1000)
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const act = (): Promise<unknown> => w.open({ endpoint: w.server.endpoint }).put(other, 'x.zip')
    w.proxy.injectOnce('CompleteMultipartUpload', { kind: 'act-first', act })

    const stored = await w.store.put(file, 'x.zip', { uniqueId: 'uuid' })

    expect(stored).toMatchObject({ key: 'x-uuid.zip', takenKey: 'x.zip' })
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(other))
    expect(await sha256(join(w.objects, 'x-uuid.zip'))).toBe(await sha256(file))
    expect(w.proxy.count('AbortMultipartUpload')).toBe(1)
  })

  it('reports its progress', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const reports: Progress[] = []

    await w.store.put(file, 'x.zip', { onProgress: (progress) => reports.push(progress) })

    expect(reports.map(({ bytes }) => bytes).toSorted((a, b) => a - b)).toEqual(
      reports.map(({ bytes }) => bytes),
    )
    expect(reports.at(-1)).toEqual({ bytes: 12 * MIB, totalBytes: 12 * MIB })
    expect(reports).toHaveLength(3)
  })

  it('rejects what is no regular file, and keys that leave the prefix', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 10)

    await expect(w.store.put(w.dir, 'x.zip')).rejects.toMatchObject({ code: 'UNREADABLE' })
    await expect(w.store.put(join(w.dir, 'no.zip'), 'x')).rejects.toMatchObject({ code: 'GONE' })
    for (const key of ['', '../x', 'a//b', 'a/./b', 'a\nb', 'x'.repeat(1025)]) {
      await expect(w.store.put(file, key)).rejects.toMatchObject({ code: 'INVALID' })
    }
    expect(w.proxy.seen).toEqual([])
  })

  it('stores one object when one file is sent twice at once [store-4]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 12 * MIB)
    const other = w.open()

    const both = await Promise.all([w.store.put(file, 'x.zip'), other.put(file, 'x.zip')])

    expect(both.map(({ key }) => key)).toEqual(['x.zip', 'x.zip'])
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
    expect(await readdir(w.objects)).toEqual(['x.zip'])
  })

  it('aborts the multipart upload of a file that is sent in one request later', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 7 * MIB)
    w.proxy.injectOnce('CompleteMultipartUpload', { kind: 'response', status: 403 })
    await expect(w.store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'DENIED' })

    const stored = await w.open({ partBytes: 8 * MIB }).put(file, 'x.zip')

    expect(stored).toMatchObject({ key: 'x.zip', outcome: 'stored', parts: 0 })
    expect(w.proxy.count('AbortMultipartUpload')).toBe(1)
    expect(await readdir(w.dir)).toEqual(['x.zip'])
  })

  it('resumes a file whose name is as long as a file system takes', async () => {
    await using w = await start()
    const name = `${'n'.repeat(251)}.zip`
    const file = await randomFile(join(w.dir, name), 12 * MIB)
    w.proxy.injectOnce('UploadPart', { kind: 'response', status: 403 })

    await expect(w.store.put(file, name)).rejects.toMatchObject({ code: 'DENIED' })
    expect((await readdir(w.dir)).length).toBe(2)
    const stored = await w.store.put(file, name)

    expect(stored.keptParts).toBeGreaterThan(0)
    expect((await stat(join(w.objects, name))).size).toBe(12 * MIB)
  })
})
