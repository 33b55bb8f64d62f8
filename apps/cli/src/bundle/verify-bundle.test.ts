import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { type MadeBundle, writeBundle } from '@core-dump-handler/testing/bundle/write-bundle'
import { beforeEach, describe, expect, it } from 'vitest'
import { CliError } from '../error.ts'
import { DirectoryStore, type StoredObject } from '../store/store.ts'
import { listBundles } from './list-bundles.ts'
import { verifyBundle, type Verification } from './verify-bundle.ts'

const CORE = randomBytes(100_000)
const core = { bytes: CORE.length, complete: true, entry: 'a.core' }
/** Fixed part of an entry of the central directory, APPNOTE 4.3.12, and places in it. */
const CENTRAL_BYTES = 46
const METHOD_AT = 10
const CRC_AT = 16
const OFFSET_AT = 42

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-verify-'))
  return () => rmSync(directory, { recursive: true })
})

async function verify(store = new DirectoryStore(directory)): Promise<Verification> {
  const object = (await store.find('a.zip')) ?? expect.fail('no object')
  return verifyBundle(store, object)
}

async function make(bundle: Partial<MadeBundle> = {}): Promise<string> {
  return writeBundle(directory, { name: 'a', entries: { '.core': CORE }, ...bundle })
}

/** Changes the entry of the core in the central directory. */
function changeDirectory(path: string, change: (zip: Buffer, at: number) => void): void {
  const zip = readFileSync(path)
  change(zip, zip.lastIndexOf('a.core', zip.lastIndexOf('a-manifest.json')) - CENTRAL_BYTES)
  writeFileSync(path, zip)
}

describe('verifyBundle', () => {
  it('reads every entry of an intact bundle', async () => {
    await make()
    expect(await verify()).toMatchObject({ state: 'intact', problems: [], entries: 3, id: 'a' })
  })

  it.for<readonly [string, Partial<MadeBundle>, Verification['state'], RegExp]>([
    [
      'a core of another size',
      { manifest: { core: { ...core, bytes: 5 } } },
      'damaged',
      /^the core has 100000 bytes, and 5 by the manifest$/,
    ],
    [
      'a core of another CRC',
      { manifest: { core: { ...core, crc32: '00000000' } } },
      'damaged',
      /^the core has the CRC-32 \w{8}, and 00000000 by the manifest$/,
    ],
    [
      'a core that its manifest calls complete and is short',
      { manifest: { core: { ...core, expectedBytes: 200_000 } } },
      'damaged',
      /has 100000 of 200000 bytes, and is called complete/,
    ],
    [
      'a core that is missing',
      { entries: {}, manifest: { core } },
      'damaged',
      /no core, and its manifest names a\.core/,
    ],
    [
      'a complete core without an entry',
      { entries: {}, manifest: { core: { bytes: 7, complete: true } } },
      'damaged',
      /names no entry/,
    ],
    [
      'a manifest that is no JSON',
      { manifest: '{"schema": ' },
      'damaged',
      /^its manifest is not valid$/,
    ],
    [
      'a manifest of wrong shapes',
      { manifest: '{"schema": [], "core": null}' },
      'damaged',
      /^its manifest is not valid$/,
    ],
    ['an empty manifest', { manifest: '' }, 'damaged', /^its manifest is not valid$/],
    ['no manifest', { manifest: null }, 'incomplete', /^it has no manifest/],
    [
      'a core that is cut',
      { manifest: { core: { ...core, complete: false, reason: 'disk full' } } },
      'incomplete',
      /^the core is incomplete: disk full$/,
    ],
  ])('names %s', async ([, bundle, state, problem]) => {
    await make(bundle)
    expect(await verify()).toMatchObject({ state, problems: [expect.stringMatching(problem)] })
  })

  it.for<readonly [string, (path: string) => void]>([
    ['is empty', (path) => truncateSync(path, 0)],
    ['is no zip', (path) => writeFileSync(path, 'x'.repeat(5000))],
    [
      'is a zip without entries',
      (path) => writeFileSync(path, Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex')),
    ],
    ['is cut in the core', (path) => truncateSync(path, 50_000)],
    ['is cut in its last byte', (path) => truncateSync(path, readFileSync(path).length - 1)],
    ['lacks its first bytes', (path) => writeFileSync(path, readFileSync(path).subarray(1000))],
  ])('calls an object damaged that %s', async ([, damage]) => {
    damage(await make())
    const { state, problems } = await verify()
    expect(state).toBe('damaged')
    expect(problems).not.toEqual([])
  })

  it.for<readonly [string, (zip: Buffer, at: number) => void, RegExp]>([
    [
      'a CRC that is wrong',
      (zip, at) => zip.writeUInt32LE(1, at + CRC_AT),
      /^a\.core: its CRC-32 is not the one in the zip$/,
    ],
    [
      'a method that no zip has',
      (zip, at) => zip.writeUInt16LE(77, at + METHOD_AT),
      /^a\.core: compression method 77 is not supported$/,
    ],
    [
      'a place behind its end',
      (zip, at) => zip.writeUInt32LE(0x7fff_ffff, at + OFFSET_AT),
      /a\.core: it has no byte 2147/,
    ],
  ])('names %s', async ([, change, problem]) => {
    changeDirectory(await make(), change)
    expect(await verify()).toMatchObject({
      state: 'damaged',
      problems: expect.arrayContaining([expect.stringMatching(problem)]),
    })
  })

  it('names the entry whose compressed bytes are damaged, and reads the others', async () => {
    const path = await make({ entries: { '.core': randomBytes(50_000).toString('hex') } })
    const zip = readFileSync(path)
    zip.fill(0xff, 1000, 1050)
    writeFileSync(path, zip)
    const { state, problems, entries } = await verify()
    expect({ state, entries }).toEqual({ state: 'damaged', entries: 3 })
    expect(problems).toEqual([expect.stringMatching(/^a\.core: /)])
  })

  it('never calls a bundle damaged because the connection broke', async () => {
    await make()
    expect(await verify(new BreakingStore(directory, 30_000))).toMatchObject({ state: 'intact' })
    const down = new CliError('STORE', 'the store is down')
    await expect(verify(new BreakingStore(directory, 30_000, down))).rejects.toBe(down)
  })

  it('of one object does not end the list of the others', async () => {
    changeDirectory(await make(), (zip) => {
      // the place of the manifest in the central directory
      const at = zip.lastIndexOf('a-manifest.json') - CENTRAL_BYTES
      zip.writeUInt32LE(0x7fff_ffff, at + OFFSET_AT)
    })
    await writeBundle(directory, { name: 'b' })
    const { bundles, unreadable } = await listBundles(new DirectoryStore(directory))
    expect(bundles.map(({ id }) => id)).toEqual(['b'])
    expect(unreadable).toMatchObject([{ key: 'a.zip' }])
  })

  it('of an object that was deleted meanwhile leaves it out of a list', async () => {
    await writeBundle(directory, { name: 'b' })
    const gone = basename(await make())
    class Emptying extends DirectoryStore {
      override async stream(
        object: StoredObject,
        start: number,
        length: number,
      ): Promise<Readable> {
        if (object.key === gone) rmSync(join(directory, gone), { force: true })
        return super.stream(object, start, length)
      }
    }
    const { bundles, unreadable } = await listBundles(new Emptying(directory))
    expect(bundles.map(({ id }) => id)).toEqual(['b'])
    expect(unreadable).toEqual([])
  })
})

/** Answers of the core break off after some bytes. */
class BreakingStore extends DirectoryStore {
  readonly #bytes: number
  readonly #error: Error

  constructor(root: string, bytes: number, error = new Error('ECONNRESET')) {
    super(root)
    this.#bytes = bytes
    this.#error = error
  }

  override async stream(object: StoredObject, start: number, length: number): Promise<Readable> {
    const whole = await super.stream(object, start, length)
    // not the end of the object, which has manifest and directory
    return start + length > CORE.length + 500 ? whole : Readable.from(this.#broken(whole))
  }

  async *#broken(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let left = this.#bytes
    for await (const chunk of chunks) {
      yield chunk.subarray(0, left)
      left -= chunk.length
      if (left <= 0) throw this.#error
    }
  }
}
