import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFile,
  link,
  lstat,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { deflateRawSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { mixedContent } from '@core-dump-handler/testing/content'
import { type Compression, compressionsHere, enginesHere } from '@core-dump-handler/testing/engines'
import { Random } from '@core-dump-handler/testing/random'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import { smallDisk } from '@core-dump-handler/testing/small-disk'
import {
  createPartFile,
  drain,
  salvageZip,
  type SalvageAddition,
  type SalvagedZip,
  type SavedZip,
  ZipWriter,
} from '../index.ts'

const INFO = JSON.stringify({ uuid: 'u', padding: 'text that is worth packing '.repeat(9) })
const ADDITIONS: SalvageAddition[] = [['x-manifest.json', '{"schema":"test"}']]

/** A bundle under its unfinished name, as its writer left it before the directory. */
async function leftOver(
  dir: string,
  core: Buffer,
  compression: Partial<Compression> = {},
  { manifest = false, directory = false } = {},
): Promise<string> {
  const part = await createPartFile(join(dir, 'x.zip'))
  const zip = new ZipWriter(part)
  await zip.add('x-dump-info.json', INFO)
  const chunks = Array.from({ length: Math.ceil(core.length / 65_536) }, (_, i) =>
    core.subarray(i * 65_536, (i + 1) * 65_536),
  )
  await drain(Readable.from(chunks), zip, { entryName: 'x.core', ...compression })
  if (manifest) await zip.add('x-manifest.json', '{"schema":"its own"}')
  if (directory) await zip.finish()
  await part.close()
  return part.path
}

describe('of which only the beginning is intact', () => {
  test('keeps what lies before that, and nothing of the hole', async ({ dir }) => {
    const core = mixedContent(new Random(1), 6_000_000)
    const path = await leftOver(dir, core, { mode: 'store' }, { manifest: true, directory: true })
    const intactBytes = 1_000_001
    execFileSync('fallocate', ['-p', '-o', String(intactBytes), '-l', '2000000', path])
    const finalPath = join(dir, 'x.zip')
    const { outcome, entries } = await salvageZip(path, {
      finalPath,
      intactBytes,
      addEntries: () => ADDITIONS,
    })
    expect(outcome).toBe('closed')
    expect(entries.map(({ name, whole }) => [name, whole])).toEqual([
      ['x-dump-info.json', true],
      ['x.core', false],
    ])
    execFileSync('unzip', ['-tq', finalPath])
    const saved = execFileSync('unzip', ['-p', finalPath, 'x.core'], { maxBuffer: 2 ** 24 })
    expect(saved.length).toBeGreaterThan(500_000)
    expect(saved.equals(core.subarray(0, saved.length))).toBe(true)
  })

  test('is published unread when it is known to be complete', async ({ dir }) => {
    const path = await leftOver(
      dir,
      mixedContent(new Random(1), 200_000),
      {},
      { manifest: true, directory: true },
    )
    const bytes = await readFile(path)
    const finalPath = join(dir, 'x.zip')
    const known = { intactBytes: 5000, isComplete: true }
    const options = { finalPath, ...known, addEntries: () => ADDITIONS }
    expect(await salvageZip(path, options)).toEqual({ outcome: 'whole', entries: [] })
    expect((await readFile(finalPath)).equals(bytes)).toBe(true)
    expect(await readdir(dir)).toEqual(['x.zip'])
  })
})

interface Salvaged extends SalvagedZip {
  readonly saved: SavedZip | undefined
  readonly path: string
}

async function salvage(path: string, dir: string, additions = ADDITIONS): Promise<Salvaged> {
  const finalPath = join(dir, 'x.zip')
  let saved: SavedZip | undefined
  const result = await salvageZip(path, {
    finalPath,
    addEntries: (found) => {
      saved = found
      return additions
    },
  })
  return { ...result, saved, path: finalPath }
}

async function extract(path: string, entry: string): Promise<Buffer> {
  const python = readersHere().find(({ name }) => name === 'python3')
  return Buffer.from((await python?.extract(path, entry)) ?? [])
}

async function extractWith7z(path: string, entry: string): Promise<Buffer> {
  const reader = readersHere().find(({ name }) => name === '7z')
  return Buffer.from((await reader?.extract(path, entry)) ?? [])
}

/** The core of a salvaged archive is a prefix of the source. */
function expectBeginning(found: Buffer, whole: Buffer): void {
  expect(found.length).toBeLessThanOrEqual(whole.length)
  expect(found.equals(whole.subarray(0, found.length))).toBe(true)
}

const digest = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

describe.for(compressionsHere())('in mode $mode with $engine', (compression) => {
  const { mode } = compression

  test('makes an archive with a prefix of the core from a file cut anywhere [left-over-2]', async ({
    dir,
  }) => {
    const core = mixedContent(new Random(7), 1_500_000)
    const path = await leftOver(dir, core, compression, { manifest: true, directory: true })
    const { size } = await stat(path)
    const random = new Random(11)
    // one with most of the data, whatever the seed is
    const cuts = [Math.floor(size * 0.9), ...Array.from({ length: 11 }, () => random.below(size))]
    let longest = 0
    for (const [i, cut] of cuts.entries()) {
      const copy = join(dir, `.cut-${i}.part`)
      const finalPath = join(dir, `cut-${i}.zip`)
      await copyFile(path, copy)
      await truncate(copy, cut)
      const { entries } = await salvageZip(copy, { finalPath, addEntries: () => ADDITIONS })
      for (const reader of readersHere()) {
        if (mode !== 'zstd' || reader.zstd) await reader.test(finalPath)
      }
      const entry = entries.find(({ name }) => name === 'x.core')
      if (entry === undefined) continue
      const found = await extractWith7z(finalPath, 'x.core')
      expect(found.length).toBe(entry.bytes)
      expectBeginning(found, core)
      longest = Math.max(longest, found.length)
    }
    expect(longest).toBeGreaterThan(core.length / 3)
  }, 120_000)

  test('saves nearly all of the data in the file', async ({ dir }) => {
    const core = mixedContent(new Random(3), 3_000_000)
    const path = await leftOver(dir, core, compression)
    const { size } = await stat(path)
    await truncate(path, Math.floor(size * 0.9))
    const { outcome, entries } = await salvage(path, dir)
    expect(outcome).toBe('closed')
    expect(entries.map(({ name, whole }) => [name, whole])).toEqual([
      ['x-dump-info.json', true],
      ['x.core', false],
    ])
    expect(entries[1]?.bytes).toBeGreaterThan(core.length * 0.8)
  })

  test('salvages a small archive cut anywhere', async ({ dir }) => {
    const core = Buffer.concat([mixedContent(new Random(5), 30_000), Buffer.alloc(30_000, 'more ')])
    const path = await leftOver(dir, core, compression, { manifest: true, directory: true })
    const { size } = await stat(path)
    let saved = 0
    for (let cut = 0; cut < size; cut += Math.ceil(size / 90)) {
      const [copy, finalPath] = [join(dir, `.${cut}.part`), join(dir, `${cut}.zip`)]
      await copyFile(path, copy)
      await truncate(copy, cut)
      const { entries, outcome } = await salvageZip(copy, {
        finalPath,
        addEntries: () => ADDITIONS,
      })
      const entry = entries.find(({ name }) => name === 'x.core')
      expect(outcome).toBe(entries.length === 0 ? 'replaced' : 'closed')
      await readersHere()
        .find(({ name }) => name === (mode === 'zstd' ? 'bsdtar' : 'unzip'))
        ?.test(finalPath)
      if (entry) expectBeginning(await extractWith7z(finalPath, 'x.core'), core)
      saved += entry ? 1 : 0
    }
    expect(saved).toBeGreaterThan(5)
    expect((await readdir(dir)).filter((name) => /^\.(?!x\.zip\.part)/.test(name))).toEqual([])
  }, 120_000)
})

test('reads complete entries before the archive is closed', async ({ dir }) => {
  const core = mixedContent(new Random(1), 400_000)
  const path = await leftOver(dir, core)
  const { outcome, saved, path: finalPath } = await salvage(path, dir)
  expect(outcome).toBe('closed')
  expect(saved?.entries.every(({ whole }) => whole)).toBe(true)
  expect(saved?.lostBytes).toBe(0)
  expect((await saved?.read('x-dump-info.json'))?.toString()).toBe(INFO)
  expect(await saved?.read('no such')).toBeUndefined()
  expect(await extract(finalPath, 'x.core')).toEqual(core)
  expect((await extract(finalPath, 'x-manifest.json')).toString()).toBe('{"schema":"test"}')
  expect((await stat(finalPath)).mode & 0o777).toBe(0o600)
})

test('publishes a complete archive unchanged', async ({ dir }) => {
  const path = await leftOver(dir, Buffer.from('core'), {}, { manifest: true, directory: true })
  const before = await digest(path)
  const { outcome, saved, path: finalPath } = await salvage(path, dir)
  expect([outcome, saved]).toEqual(['whole', undefined])
  expect(await digest(finalPath)).toBe(before)
  expect(await readdir(dir)).toEqual(['x.zip'])
})

test('removes the unfinished name of an archive that has its final name too', async ({ dir }) => {
  const path = await leftOver(dir, Buffer.from('core'), {}, { manifest: true, directory: true })
  await link(path, join(dir, 'x.zip'))
  expect((await salvage(path, dir)).outcome).toBe('published')
  expect(await readdir(dir)).toEqual(['x.zip'])
})

test.for([
  ['an empty file', Buffer.alloc(0)],
  ['zeros, as a power loss leaves them', Buffer.alloc(100_000)],
  ['garbage', Buffer.from('PK\x03\x04'.repeat(5000), 'latin1')],
  ['a file name that leads elsewhere', hostileHeader('../../etc/x')],
] as const)('replaces %s by an archive of the added entries', async ([, content], { dir }) => {
  const path = join(dir, '.x.zip.part')
  await writeFile(path, content)
  const { outcome, saved, path: finalPath } = await salvage(path, dir)
  expect(outcome).toBe('replaced')
  expect(saved).toMatchObject({
    entries: [],
    foundBytes: content.length,
    lostBytes: content.length,
  })
  for (const reader of readersHere()) await reader.test(finalPath)
  expect(await readdir(dir)).toEqual(['x.zip'])
})

test.for(enginesHere())(
  'makes an archive that opens from a file of %s with garbage anywhere [left-over-3]',
  { timeout: 60_000 },
  async (engine, { dir }) => {
    const core = mixedContent(new Random(2), 300_000)
    const whole = await readFile(await leftOver(dir, core, { engine }, { manifest: true }))
    const random = new Random(23)
    for (let n = 0; n < 60; n++) {
      const bytes = Buffer.from(whole.subarray(0, random.below(whole.length)))
      for (let i = random.below(4); i >= 0; i--) {
        const at = random.below(Math.max(1, bytes.length - 64))
        bytes.fill(random.pick([0, 0xff, random.below(256)]), at, at + 1 + random.below(64))
      }
      const [path, finalPath] = [join(dir, `.${n}.part`), join(dir, `${n}.zip`)]
      await writeFile(path, bytes)
      await salvageZip(path, { finalPath, addEntries: () => ADDITIONS })
      execFileSync('unzip', ['-tq', finalPath])
    }
  },
)

test('cuts deflate of another program, without flushes, at its last byte', async ({ dir }) => {
  const core = Buffer.from(mixedContent(new Random(4), 200_000))
  const header = Buffer.from((await readFile(await leftOver(dir, Buffer.alloc(1)))).subarray(0))
  const coreAt = header.indexOf('x.core') - 30
  const dataAt = coreAt + 30 + 6 + header.readUInt16LE(coreAt + 28)
  const path = join(dir, '.other.part')
  const unended = Buffer.from(header.subarray(0, dataAt))
  unended.fill(0, coreAt + 14, coreAt + 18)
  unended.fill(0, coreAt + 30 + 6 + 4, coreAt + 30 + 6 + 20)
  await writeFile(path, Buffer.concat([unended, deflateRawSync(core).subarray(0, 50_000)]))
  const finalPath = join(dir, 'other.zip')
  const { entries } = await salvageZip(path, { finalPath, addEntries: () => ADDITIONS })
  expect(entries[1]?.bytes).toBeGreaterThan(40_000)
  expectBeginning(await extract(finalPath, 'x.core'), core)
})

test('never replaces an existing file, and publishes under another name', async ({ dir }) => {
  const path = await leftOver(dir, mixedContent(new Random(6), 100_000))
  await writeFile(join(dir, 'x.zip'), 'of another program')
  await expect(salvage(path, dir)).rejects.toMatchObject({ code: 'EXISTS' })
  expect(await readFile(join(dir, 'x.zip'), 'utf8')).toBe('of another program')
  const finalPath = join(dir, 'x-2.zip')
  const { outcome } = await salvageZip(path, { finalPath, addEntries: () => ADDITIONS })
  expect(outcome).toBe('closed')
  for (const reader of readersHere()) await reader.test(finalPath)
})

test('rejects links, pipes and directories and leaves them unchanged', async ({ dir }) => {
  const target = await leftOver(dir, Buffer.from('core'))
  const before = await digest(target)
  await symlink(target, join(dir, '.link.part'))
  execFileSync('mkfifo', [join(dir, '.fifo.part')])
  execFileSync('mkdir', [join(dir, '.dir.part')])
  await link(target, join(dir, '.hard.part'))
  for (const name of ['.link.part', '.fifo.part', '.dir.part', '.hard.part']) {
    await expect(salvage(join(dir, name), dir)).rejects.toMatchObject({
      name: 'IngestError',
      code: 'NOT_A_FILE',
    })
    await lstat(join(dir, name))
  }
  expect(await digest(target)).toBe(before)
})

test('detects a writer that still writes, and changes nothing', async ({ dir }) => {
  const path = await leftOver(dir, mixedContent(new Random(8), 300_000))
  const work = salvageZip(path, {
    finalPath: join(dir, 'x.zip'),
    addEntries: async () => {
      await writeFile(path, 'more', { flag: 'a' })
      return ADDITIONS
    },
  })
  await expect(work).rejects.toMatchObject({ code: 'CHANGED' })
  expect((await readFile(path)).subarray(-4).toString()).toBe('more')
})

test('makes one complete archive when two salvages run at once', async ({ dir }) => {
  const path = await leftOver(dir, mixedContent(new Random(9), 2_000_000))
  await truncate(path, 300_000)
  const results = await Promise.allSettled([salvage(path, dir), salvage(path, dir)])
  expect(results.some(({ status }) => status === 'fulfilled')).toBe(true)
  for (const reader of readersHere()) await reader.test(join(dir, 'x.zip'))
  expect(await readdir(dir)).toEqual(['x.zip'])
})

test('throws on a full disk, and salvages the same file once there is room [left-over-6]', async ({
  dir,
}) => {
  await using disk = smallDisk(dir, 4)
  if (disk === undefined) return
  const core = mixedContent(new Random(10), 6_000_000)
  const path = await leftOver(disk.path, core.subarray(0, 3_000_000), { mode: 'store' })
  const { size } = await stat(path)
  await truncate(path, size - 1000)
  const ballast = join(disk.path, 'ballast')
  expect(() => execFileSync('dd', ['if=/dev/zero', `of=${ballast}`], { stdio: 'ignore' })).toThrow()
  const big: SalvageAddition[] = [['big', mixedContent(new Random(2), 500_000)], ...ADDITIONS]
  for (let n = 0; n < 2; n++) {
    await expect(salvage(path, disk.path, big)).rejects.toMatchObject({ code: 'NO_SPACE' })
    expect(await readdir(disk.path)).toEqual(['.x.zip.part', 'ballast'])
  }
  await truncate(ballast, 0)
  const { entries, path: finalPath } = await salvage(path, disk.path, big)
  expect(entries[1]?.bytes).toBeGreaterThan(2_900_000)
  expectBeginning(await extract(finalPath, 'x.core'), core)
  for (const reader of readersHere()) await reader.test(finalPath)
})

test('does not overwrite the archive of a salvage that was killed while publishing', async ({
  dir,
}) => {
  await writeFile(join(dir, '.x.zip.part'), 'lost')
  await salvage(join(dir, '.x.zip.part'), dir)
  const record = await readFile(join(dir, 'x.zip'))
  // killed between link(2) and unlink(2): the unfinished name of the record is still there
  await writeFile(join(dir, '.x.zip.part'), 'lost')
  const hash = createHash('sha256').update('.x.zip.part').digest('hex').slice(0, 16)
  await link(join(dir, 'x.zip'), join(dir, `.salvage-${hash}.new`))
  const finalPath = join(dir, 'x-2.zip')
  await salvageZip(join(dir, '.x.zip.part'), { finalPath, addEntries: () => ADDITIONS })
  expect(await readFile(join(dir, 'x.zip'))).toEqual(record)
  expect((await readdir(dir)).toSorted()).toEqual(['x-2.zip', 'x.zip'])
})

test('leaves the file for the next try when it is aborted', async ({ dir }) => {
  const path = await leftOver(dir, mixedContent(new Random(12), 5_000_000))
  const before = await digest(path)
  const controller = new AbortController()
  const work = salvageZip(path, {
    finalPath: join(dir, 'x.zip'),
    addEntries: () => ADDITIONS,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  })
  await expect(work).rejects.toThrow('enough')
  expect(await digest(path)).toBe(before)
})

function hostileHeader(name: string): Buffer {
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, Buffer.from(name)])
}
