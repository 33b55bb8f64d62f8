import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { writeBundle } from '@core-dump-handler/testing/bundle/write-bundle'
import { randomFile } from '@core-dump-handler/testing/random-file'
import { beforeEach, describe, expect, it } from 'vitest'
import { DirectoryStore, type StoredObject } from '../store/store.ts'
import { download } from './download.ts'
import { listBundles } from './list-bundles.ts'
import { openBundle } from './open-bundle.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-ranges-'))
  return () => rmSync(directory, { recursive: true })
})

/** A directory that counts what is read, and whose streams break off after some bytes. */
class LimitedStore extends DirectoryStore {
  bytesRead = 0
  requests = 0
  breakAfter = Infinity

  override async stream(object: StoredObject, start: number, length: number): Promise<Readable> {
    this.bytesRead += length
    this.requests++
    const whole = await super.stream(object, start, length)
    return Readable.from(this.#broken(whole))
  }

  async *#broken(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let left = this.breakAfter
    for await (const chunk of chunks) {
      yield chunk.subarray(0, left)
      left -= chunk.length
      if (left <= 0) throw new Error('ECONNRESET')
    }
  }
}

async function randomBytes(bytes: number): Promise<Buffer> {
  return readFileSync(await randomFile(join(directory, 'random'), bytes))
}

describe('listBundles', () => {
  it('reads each bundle by one request of less than 65 KiB', async () => {
    for (const name of ['a', 'b', 'c']) {
      await writeBundle(directory, { name, entries: { '.core': await randomBytes(4 << 20) } })
    }
    const store = new LimitedStore(directory)
    expect((await listBundles(store)).bundles.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect(store.requests).toBe(3)
    expect(store.bytesRead).toBeLessThanOrEqual(3 * 65 * 1024)
  })

  it('reads more of a bundle whose directory is longer than that', async () => {
    const entries = Array.from({ length: 900 }, (_, index) => [
      `-process/${'x'.repeat(100)}${index}`,
      Buffer.from('content'),
    ])
    await writeBundle(directory, { name: 'long', entries: Object.fromEntries(entries) })
    const store = new LimitedStore(directory)
    expect(await listBundles(store)).toMatchObject({ bundles: [{ id: 'long' }], unreadable: [] })
  })

  it('reads nothing of what was stored before --since', async () => {
    await writeBundle(directory, { name: 'a' })
    const store = new LimitedStore(directory)
    const since = new Date(Date.now() + 86_400_000)
    expect((await listBundles(store, { since })).bundles).toEqual([])
    expect(store.requests).toBe(0)
  })
})

describe('an entry', () => {
  it('is not read into memory when it is larger than the caller takes', async () => {
    await writeBundle(directory, {
      name: 'bomb',
      entries: { '-report.txt': Buffer.alloc(8 << 20) },
    })
    const store = new DirectoryStore(directory)
    const object = await store.find('bomb.zip')
    const { archive } = await openBundle(store, object ?? expect.fail('no bundle'))
    await expect(archive.text('-report.txt', 1024 * 1024)).rejects.toThrow(
      /-report\.txt: it has 8388608 bytes, more than 1048576/,
    )
  })

  it('that declares less than it has is not expanded further', async () => {
    await writeBundle(directory, {
      name: 'liar',
      entries: { '-report.txt': Buffer.alloc(8 << 20) },
    })
    const path = join(directory, 'liar.zip')
    const zip = readFileSync(path)
    // the uncompressed size in the central directory, APPNOTE 4.3.12
    const at = zip.lastIndexOf('liar-report.txt') - 46
    zip.writeUInt32LE(10, at + 24)
    writeFileSync(path, zip)
    const store = new DirectoryStore(directory)
    const object = await store.find('liar.zip')
    const { archive } = await openBundle(store, object ?? expect.fail('no bundle'))
    await expect(archive.text('-report.txt', 1024 * 1024)).rejects.toMatchObject({
      code: 'DAMAGED',
    })
  })
})

describe('download', () => {
  it('continues behind what has arrived when the connection breaks', async () => {
    const content = await randomBytes(1024 * 1024)
    const store = new LimitedStore(directory)
    store.breakAfter = 300_000
    const object = (await store.find('random')) ?? expect.fail('no file')
    const path = join(directory, 'loaded')
    await download({ store, object, start: 1000, length: 900_000, path })
    expect(readFileSync(path).equals(content.subarray(1000, 901_000))).toBe(true)
    // 300,000 bytes each: the third has all that is left
    expect(store.requests).toBe(3)
  })

  it('ends when the object is gone, and keeps what has arrived', async () => {
    await randomBytes(1000)
    const store = new DirectoryStore(directory)
    const object = (await store.find('random')) ?? expect.fail('no file')
    rmSync(join(directory, 'random'))
    const path = join(directory, 'loaded')
    writeFileSync(path, 'begun')
    const loading = download({ store, object, start: 0, length: 1000, path })
    await expect(loading).rejects.toMatchObject({ name: 'CliError', code: 'NOT_FOUND' })
    expect(readFileSync(path, 'utf8')).toBe('begun')
  })
})
