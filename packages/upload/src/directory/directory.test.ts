import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { link, mkdir, readFile, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, vi } from 'vitest'
import { openDestination } from '../index.ts'
import type { Destination, Progress } from '../index.ts'
import { MIB, randomFile, sha256 } from '@core-dump-handler/testing/random-file'
import { test as base } from '@core-dump-handler/testing/scratch'

const run = promisify(execFile)

const it = base.extend<{ root: string; store: Destination }>({
  root: async ({ dir }, use) => use(join(dir, 'out/deep')),
  store: async ({ root }, use) => use(openDestination(pathToFileURL(root).href)),
})

async function* broken(): AsyncGenerator<Buffer> {
  yield Buffer.from('half')
  throw new Error('died')
}

describe('a directory destination', () => {
  it.for([0, 1, 3 * MIB + 7])(
    'copies a file of %d bytes with mode 0600',
    async (bytes, { dir, root, store }) => {
      const file = await randomFile(join(dir, 'x.zip'), bytes)

      const stored = await store.put(file, 'x.zip')

      expect(stored).toEqual({
        url: pathToFileURL(join(root, 'x.zip')).href,
        key: 'x.zip',
        bytes,
        outcome: 'stored',
        parts: 0,
        keptParts: 0,
      })
      expect(await sha256(join(root, 'x.zip'))).toBe(await sha256(file))
      expect((await stat(join(root, 'x.zip'))).mode & 0o777).toBe(0o600)
      expect((await stat(root)).mode & 0o777).toBe(0o700)
      expect(await readdir(root)).toEqual(['x.zip'])
    },
  )

  it('rejects at once where no directory can be created [node-10]', async ({ dir }) => {
    const file = await randomFile(join(dir, 'x.zip'), 10)
    const store = openDestination('file:/proc/cores/here')

    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({
      name: 'UploadError',
      message: expect.stringContaining('/proc/cores'),
    })
  })

  it('copies identical content once and replaces no other content', async ({
    dir,
    root,
    store,
  }) => {
    const files = ['a', 'b', 'c'].map((name) => randomFile(join(dir, name), 2 * MIB))
    const [a = '', b = '', c = ''] = await Promise.all(files)
    await store.put(a, 'x.zip')

    expect(await store.put(a, 'x.zip')).toMatchObject({ outcome: 'existing', key: 'x.zip' })
    const byUuid = await store.put(b, 'x.zip', { uniqueId: 'uuid' })
    const byHash = await store.put(c, 'x.zip', { uniqueId: 'uuid' })

    expect(byUuid).toMatchObject({ outcome: 'stored', key: 'x-uuid.zip', takenKey: 'x.zip' })
    expect(byHash.key).toBe(`x-${(await sha256(c)).slice(0, 12)}.zip`)
    expect(await sha256(join(root, 'x.zip'))).toBe(await sha256(a))
    expect(await sha256(join(root, 'x-uuid.zip'))).toBe(await sha256(b))
    await writeFile(join(root, byHash.key), 'another content')
    await expect(store.put(c, 'x.zip', { uniqueId: 'uuid' })).rejects.toMatchObject({
      code: 'OCCUPIED',
    })
  })

  it('stores one content under a shared key', async ({ dir, root, store }) => {
    const files = ['a', 'b'].map((name) => randomFile(join(dir, name), MIB))
    const [a = '', b = ''] = await Promise.all(files)
    await store.put(a, 'deep/id', { shared: true })

    expect(await store.put(a, 'deep/id', { shared: true })).toMatchObject({ outcome: 'existing' })
    await expect(store.put(b, 'deep/id', { shared: true })).rejects.toMatchObject({
      code: 'OCCUPIED',
    })
    expect(await readdir(join(root, 'deep'))).toEqual(['id'])
  })

  it('does not touch what is no regular file under the name', async ({ dir, root, store }) => {
    const file = await randomFile(join(dir, 'x.zip'), 10)
    await mkdir(join(root, 'dir.zip'), { recursive: true })
    await symlink(file, join(root, 'link.zip'))
    await run('mkfifo', [join(root, 'fifo.zip')])

    for (const name of ['dir', 'link', 'fifo']) {
      const stored = await store.put(file, `${name}.zip`, { uniqueId: 'u' })
      expect(stored).toMatchObject({ key: `${name}-u.zip`, outcome: 'stored' })
    }
  })

  it('rejects when the target is the file itself', async ({ dir }) => {
    const file = await randomFile(join(dir, 'x.zip'), 10)
    const store = openDestination(pathToFileURL(dir).href)

    await expect(store.put(file, 'x.zip')).rejects.toMatchObject({ code: 'INVALID' })
    await link(file, join(dir, 'y.zip'))
    await expect(store.put(file, 'y.zip')).rejects.toMatchObject({ code: 'INVALID' })
  })

  it('removes parts of killed runs that are old', async ({ dir, root, store }) => {
    const file = await randomFile(join(dir, 'x.zip'), 2 * MIB)
    await mkdir(root, { recursive: true })
    const [old, young, foreign] = [
      `.x-${'0'.repeat(16)}.upload-part`,
      `.x-${'1'.repeat(16)}.upload-part`,
      '.x.part',
    ]
    for (const name of [old, young, foreign]) await writeFile(join(root, name), 'torn')
    for (const name of [old, foreign]) await utimes(join(root, name), 1, 1)

    await store.put(file, 'x.zip')

    expect((await readdir(root)).toSorted()).toEqual([young, foreign, 'x.zip'].toSorted())
  })

  it('leaves nothing of an aborted copy', async ({ dir, root, store }) => {
    const file = await randomFile(join(dir, 'x.zip'), 4 * MIB)
    const stop = new AbortController()
    const onProgress = ({ bytes }: Progress): void => void (bytes > MIB && stop.abort())

    const attempt = store.put(file, 'x.zip', { signal: stop.signal, onProgress })

    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' })
    // the caller does not wait for the cleaning up
    await vi.waitFor(async () => expect(await readdir(root)).toEqual([]), 5000)
  })

  it('does not store a file that changes while it is copied [store-8]', async ({
    dir,
    root,
    store,
  }) => {
    const file = await randomFile(join(dir, 'x.zip'), 4 * MIB)
    let once = true
    const onProgress = (): void => {
      if (once) writeFileSync(file, 'new', { flag: 'r+' })
      once = false
    }

    await expect(store.put(file, 'x.zip', { onProgress })).rejects.toMatchObject({
      code: 'CHANGED',
    })
    expect(await readdir(root)).toEqual([])
  })

  it('stores all of many files copied at once under one key', async ({ dir, root, store }) => {
    const files = await Promise.all(
      Array.from({ length: 8 }, (_, i) => randomFile(join(dir, `${i}`), MIB)),
    )
    const all = await Promise.all([...files, ...files].map((file) => store.put(file, 'x.zip')))

    expect(new Set(all.map(({ key }) => key)).size).toBe(8)
    const hashes = await Promise.all((await readdir(root)).map((name) => sha256(join(root, name))))
    const wanted = await Promise.all(files.map((file) => sha256(file)))
    expect(hashes.toSorted()).toEqual(wanted.toSorted())
  })

  it('stores a stream only when it has ended without an error', async ({ root, store }) => {
    const good = await store.putStream(
      Readable.from([Buffer.from('ab'), Buffer.from('c')]),
      'x.zip',
    )
    const second = await store.putStream(Readable.from([Buffer.from('d')]), 'x.zip', {
      uniqueId: 'u',
    })
    expect(good).toMatchObject({ key: 'x.zip', bytes: 3, outcome: 'stored' })
    expect(second).toMatchObject({ key: 'x-u.zip', takenKey: 'x.zip' })
    await expect(store.putStream(broken(), 'y.zip')).rejects.toMatchObject({ code: 'UNREADABLE' })
    const long = store.putStream(Readable.from([Buffer.alloc(9)]), 'y.zip', { maxBytes: 8 })
    await expect(long).rejects.toMatchObject({ code: 'TOO_LARGE' })
    expect((await readdir(root)).toSorted()).toEqual(['x-u.zip', 'x.zip'])
    expect(await readFile(join(root, 'x.zip'), 'utf8')).toBe('abc')
  })

  it('check() creates the directory, or rejects with the reason', async ({ dir, root, store }) => {
    await store.check()
    expect((await stat(root)).isDirectory()).toBe(true)
    await writeFile(join(dir, 'file'), '')

    const attempt = openDestination(pathToFileURL(join(dir, 'file/x')).href).check()

    await expect(attempt).rejects.toMatchObject({ code: 'DENIED' })
  })

  // mounting is for root alone; the same is tried by the integration tests' machine
  it.skipIf(process.getuid?.() !== 0)(
    'rejects with FULL on a full disk and leaves no part [store-7]',
    async ({ dir, root }) => {
      await mkdir(root, { recursive: true })
      await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', root])
      try {
        const store = openDestination(pathToFileURL(root).href)
        const file = await randomFile(join(dir, 'x.zip'), 3 * MIB)

        await expect(store.put(file, 'x.zip')).rejects.toMatchObject({
          code: 'FULL',
          retryable: true,
        })
        expect(await readdir(root)).toEqual([])
        await run('mount', ['-o', 'remount,size=8m', root])
        expect(await store.put(file, 'x.zip')).toMatchObject({ outcome: 'stored' })
      } finally {
        await run('umount', [root])
      }
    },
  )
})
