import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MIB, randomFile, sha256 } from '@core-dump-handler/testing/random-file'
import { describeS3 } from '@core-dump-handler/testing/upload/s3-test'
import { expect, it } from 'vitest'

describeS3('a shared key', (start) => {
  it('leaves uploads of other writers in progress, and stores the content once', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'first'), 12 * MIB)
    const copy = join(w.dir, 'second')
    await copyFile(file, copy)
    w.proxy.inject({ on: 'UploadPart', kind: 'reset', part: 3, times: 1 })
    const other = w.open({ workers: 1, maxAttempts: 1 })
    await expect(other.put(file, 'id', { shared: true })).rejects.toMatchObject({
      code: 'UNREACHABLE',
    })
    const [inProgress] = await w.server.uploads()

    expect(await w.store.put(copy, 'id', { shared: true })).toMatchObject({ outcome: 'stored' })
    expect(await w.server.uploads()).toEqual([inProgress])
    // the first writer goes on, and finds the same content there
    expect(await other.put(file, 'id', { shared: true })).toMatchObject({ outcome: 'existing' })
    expect(await w.server.uploads()).toEqual([])
    expect(await sha256(join(w.objects, 'id'))).toBe(await sha256(file))
  })

  it.for([10, 12 * MIB])('of another content rejects, at %d bytes', async (bytes) => {
    await using w = await start()
    const [first, second] = await Promise.all(
      ['first', 'second'].map((name) => randomFile(join(w.dir, name), bytes)),
    )
    await w.store.put(first ?? '', 'id', { shared: true })

    await expect(w.store.put(second ?? '', 'id', { shared: true })).rejects.toMatchObject({
      code: 'OCCUPIED',
    })
    expect(await readFile(join(w.objects, 'id'))).toEqual(await readFile(first ?? ''))
    expect(await w.server.uploads()).toEqual([])
  })
})
