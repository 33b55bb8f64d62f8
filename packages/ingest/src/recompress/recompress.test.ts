import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import {
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { expect } from 'vitest'
import { mixedContent } from '../../testing/content.ts'
import { Random } from '../../testing/random.ts'
import { readersHere } from '../../testing/readers.ts'
import { test } from '../../testing/scratch.ts'
import { smallDisk } from '../../testing/small-disk.ts'
import {
  createPartFile,
  drain,
  type DrainMode,
  recompressZip,
  removeRecompressLeftOvers,
  streamSink,
  ZipWriter,
} from '../index.ts'

const CORE = mixedContent(new Random(3), 6_000_000)
const LOG = 'a line of a log that is worth packing\n'.repeat(50)
const MANIFEST = JSON.stringify({ core: { entry: 'x.core', storedBytes: 1, mode: 'store' } })
const MTIME = new Date('2026-10-01T12:34:56Z')

interface BundleContent {
  readonly core?: Buffer
  readonly mode?: DrainMode
  readonly manifest?: string
}

/** A bundle `<dir>/x.zip` as a composer writes it. */
async function bundle(
  dir: string,
  { core = CORE, mode = 'store', manifest = MANIFEST }: BundleContent = {},
): Promise<string> {
  const path = join(dir, 'x.zip')
  const part = createPartFile(path)
  const zip = new ZipWriter(part, { mtime: MTIME })
  await zip.add('x-dump-info.json', '{"uuid":"u"}')
  await drain(Readable.from([core]), zip, { entryName: 'x.core', mode })
  await zip.add('x-0.log', LOG)
  await zip.add('x-ümlaut.json', '{}')
  await zip.add('x-manifest.json', manifest)
  await zip.finish()
  await part.publish()
  return path
}

/** Name, time, mode and method of each entry, in order, as somebody else sees them. */
function listed(path: string): string[] {
  const program = `import sys, zipfile
for i in zipfile.ZipFile(sys.argv[1]).infolist():
    print(i.filename, i.date_time, oct(i.external_attr), i.compress_type, i.file_size, i.CRC)`
  return String(execFileSync('python3', ['-c', program, path]))
    .trim()
    .split('\n')
}

async function expectReadable(path: string, core: Buffer): Promise<void> {
  for (const reader of readersHere()) {
    await reader.test(path)
    expect(core.equals(await reader.extract(path, 'x.core')), reader.name).toBe(true)
    expect(String(await reader.extract(path, 'x-0.log')), reader.name).toBe(LOG)
  }
}

test('the core is compressed in full, everything else stays as it was', async ({ dir }) => {
  const path = await bundle(dir)
  await chmod(path, 0o640)
  await utimes(path, MTIME, MTIME)
  const before = { list: listed(path), stats: await stat(path) }
  const result = await recompressZip(path, { entryName: 'x.core' })

  const after = await stat(path)
  expect(result).toMatchObject({ outcome: 'replaced', fromBytes: before.stats.size })
  expect(result).toMatchObject({ bytes: after.size, entry: { name: 'x.core', bytes: CORE.length } })
  expect(after.size).toBeLessThan(before.stats.size * 0.7)
  expect(listed(path)).toEqual(before.list)
  expect([after.mode, after.mtimeMs]).toEqual([before.stats.mode, before.stats.mtimeMs])
  expect(after.ino).not.toBe(before.stats.ino)
  await expectReadable(path, CORE)
  expect(await readdir(dir)).toEqual(['x.zip'])
  // a second time there is nothing to gain
  expect(await recompressZip(path, { entryName: 'x.core' })).toMatchObject({ outcome: 'kept' })
  expect((await stat(path)).ino).toBe(after.ino)
})

/** What comes before the core, and behind it. */
function aroundCore(bytes: Buffer): Buffer[] {
  const behind = bytes.lastIndexOf('PK\x03\x04', bytes.indexOf('x-0.log'))
  const directory = bytes.indexOf('PK\x01\x02', behind)
  return [bytes.subarray(0, bytes.indexOf('x.core') - 30), bytes.subarray(behind, directory)]
}

test('the others are the same to the byte, headers and data', async ({ dir }) => {
  const path = await bundle(dir)
  const before = await readFile(path)
  await recompressZip(path, { entryName: 'x.core' })
  const after = await readFile(path)
  expect(aroundCore(after)).toEqual(aroundCore(before))
  expect(aroundCore(after)[1]?.length).toBeGreaterThan(200)
})

test('small entries behind it can be told of it', async ({ dir }) => {
  const path = await bundle(dir)
  const result = await recompressZip(path, {
    entryName: 'x.core',
    rewrite: {
      'x-manifest.json': (data, { fromBytes, storedBytes }) => {
        const { core } = JSON.parse(String(data)) as { core: object }
        return JSON.stringify({ core: { ...core, storedBytes, recompressed: { fromBytes } } })
      },
      'x-absent.json': () => 'never asked for',
    },
  })
  if (result.outcome !== 'replaced') throw new Error('not replaced')
  await expectReadable(path, CORE)
  const { fromBytes, storedBytes } = result.entry
  for (const reader of readersHere()) {
    expect(JSON.parse(String(await reader.extract(path, 'x-manifest.json')))).toEqual({
      core: { entry: 'x.core', storedBytes, mode: 'store', recompressed: { fromBytes } },
    })
  }
  expect(listed(path).map((line) => line.split(' ')[0])).toEqual([
    'x-dump-info.json',
    'x.core',
    'x-0.log',
    'x-ümlaut.json',
    'x-manifest.json',
  ])
})

test('an archive written as a stream, with descriptors behind the data, is one of ours', async ({
  dir,
}) => {
  const path = join(dir, 'x.zip')
  const file = await open(path, 'wx')
  const stream = file.createWriteStream()
  const zip = new ZipWriter(streamSink(stream))
  await zip.add('x-dump-info.json', '{}')
  await drain(Readable.from([CORE]), zip, { entryName: 'x.core', mode: 'store' })
  await drain(Readable.from([CORE]), zip, { entryName: 'y.core', mode: 'store' })
  await zip.add('x-0.log', LOG)
  await zip.finish()
  await new Promise<void>((resolve) => {
    stream.end(resolve)
  })
  expect(await recompressZip(path, { entryName: 'x.core' })).toMatchObject({ outcome: 'replaced' })
  await expectReadable(path, CORE)
})

test.for(['deflate', 'adaptive'] as const)(
  'a core that was compressed already (%s) is left as it is or becomes smaller, never other',
  async (mode, { dir }) => {
    const path = await bundle(dir, { mode })
    const { outcome } = await recompressZip(path, { entryName: 'x.core', level: 1 })
    if (mode === 'deflate') expect(outcome).toBe('kept')
    await expectReadable(path, CORE)
    expect(await readdir(dir)).toEqual(['x.zip'])
  },
)

test('random bytes are not worth it: the archive stays, nothing is left beside it', async ({
  dir,
}) => {
  const core = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)))
  const path = await bundle(dir, { core: Buffer.concat(Array<Buffer>(50).fill(core)) })
  const { ino } = await stat(path)
  expect(await recompressZip(path, { entryName: 'x.core' })).toMatchObject({ outcome: 'kept' })
  expect((await stat(path)).ino).toBe(ino)
  expect(await readdir(dir)).toEqual(['x.zip'])
})

test('fuzzed cores in all modes and levels come out the same', async ({ dir }) => {
  for (let seed = 100; seed < 120; seed++) {
    const random = new Random(seed)
    const core = mixedContent(random, random.below(3_000_000))
    const path = await bundle(dir, { core, mode: random.pick(['store', 'adaptive']) })
    const level = random.pick([1, 3, 6, 9])
    await recompressZip(path, { entryName: 'x.core', level, lanes: random.pick([1, 2, 4]) })
    execFileSync('unzip', ['-tq', path])
    const seen = execFileSync('unzip', ['-p', path, 'x.core'], { maxBuffer: 1 << 26 })
    expect(core.equals(seen), `seed ${seed}`).toBe(true)
    await unlink(path)
  }
})

test('what is not one of ours is left alone, and said to be so [recompress-7]', async ({ dir }) => {
  await writeFile(join(dir, 'x.core'), CORE)
  const make: Record<string, (path: string) => unknown> = {
    'info-zip': (path) => execFileSync('zip', ['-q', path, 'x.core'], { cwd: dir }),
    encrypted: (path) => execFileSync('zip', ['-q', '-P', 'x', path, 'x.core'], { cwd: dir }),
    python: (path) =>
      execFileSync('python3', ['-m', 'zipfile', '-c', path, 'x.core'], { cwd: dir }),
    'seven-zip': (path) => execFileSync('7z', ['a', '-tzip', path, 'x.core'], { cwd: dir }),
    empty: (path) => writeFile(path, ''),
    text: (path) => writeFile(path, LOG),
    'an end alone': (path) => writeFile(path, Buffer.from('504b0506'.padEnd(44, '0'), 'hex')),
    zeros: (path) => writeFile(path, Buffer.alloc(100_000)),
  }
  for (const [name, write] of Object.entries(make)) {
    const path = join(dir, `${name.replaceAll(' ', '-')}.zip`)
    await write(path)
    const before = await readFile(path)
    const attempt = recompressZip(path, { entryName: 'x.core' })
    await expect(attempt, name).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(before.equals(await readFile(path)), name).toBe(true)
  }
  expect((await readdir(dir)).filter((name) => name.startsWith('.'))).toEqual([])
})

test('an entry that is not there or not deflated', async ({ dir }) => {
  const path = await bundle(dir, { mode: 'zstd' })
  for (const entryName of ['x.core', 'y.core', 'x-ümlaut.json']) {
    const attempt = recompressZip(path, { entryName })
    await expect(attempt).rejects.toMatchObject({ code: 'UNSUPPORTED', subject: entryName })
  }
})

test('missing, a link, a directory, a pipe, a second name [recompress-8]', async ({ dir }) => {
  const path = await bundle(dir)
  const expectCode = async (at: string, code: string): Promise<void> => {
    const attempt = recompressZip(join(dir, at), { entryName: 'x.core' })
    await expect(attempt, at).rejects.toMatchObject({ name: 'IngestError', code })
  }
  await symlink('x.zip', join(dir, 'link.zip'))
  await mkdir(join(dir, 'directory.zip'))
  execFileSync('mkfifo', [join(dir, 'pipe.zip')])
  await expectCode('absent.zip', 'NOT_FOUND')
  await expectCode('link.zip', 'NOT_A_FILE')
  await expectCode('directory.zip', 'NOT_A_FILE')
  await expectCode('pipe.zip', 'NOT_A_FILE')
  // as between the two steps of publishing
  await link(path, join(dir, '.x.zip.part'))
  await expectCode('x.zip', 'NOT_A_FILE')
  await unlink(join(dir, '.x.zip.part'))
  expect(await recompressZip(path, { entryName: 'x.core' })).toMatchObject({ outcome: 'replaced' })
})

test('cut anywhere, it is left as it is [recompress-6]', async ({ dir }) => {
  const path = await bundle(dir)
  const { size } = await stat(path)
  for (const length of [0, 1, 21, 22, 100, 50_000, size - 5000, size - 100, size - 22, size - 1]) {
    const cut = join(dir, 'cut.zip')
    await copyFile(path, cut)
    await truncate(cut, length)
    const attempt = recompressZip(cut, { entryName: 'x.core' })
    await expect(attempt, String(length)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect((await stat(cut)).size).toBe(length)
    await unlink(cut)
  }
})

test('a bit that flipped on the disk is told, and nothing is made of it [recompress-4]', async ({
  dir,
}) => {
  const path = await bundle(dir, { mode: 'adaptive' })
  const whole = await readFile(path)
  const random = new Random(17)
  let damaged = 0
  for (let round = 0; round < 40; round++) {
    const bytes = Buffer.from(whole)
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    await writeFile(path, bytes)
    try {
      await recompressZip(path, { entryName: 'x.core', minSaving: -1 })
      // in another entry's data, which is copied as it is
      execFileSync('unzip', ['-p', path, 'x.core'], { stdio: 'ignore' })
    } catch (error) {
      expect(['DAMAGED', 'UNSUPPORTED']).toContain((error as { code: string }).code)
      expect(bytes.equals(await readFile(path))).toBe(true)
      damaged++
    }
    expect(await readdir(dir)).toEqual(['x.zip'])
  }
  expect(damaged).toBeGreaterThan(30)
})

test('a CRC that was never right [recompress-5]', async ({ dir }) => {
  const path = await bundle(dir)
  const bytes = await readFile(path)
  const crc = Buffer.alloc(4)
  crc.writeUInt32LE(crc32(CORE))
  for (let at = bytes.indexOf(crc); at >= 0; at = bytes.indexOf(crc, at + 1))
    bytes.fill(7, at, at + 4)
  await writeFile(path, bytes)
  const attempt = recompressZip(path, { entryName: 'x.core' })
  await expect(attempt).rejects.toMatchObject({ code: 'DAMAGED', subject: 'x.core' })
  expect(bytes.equals(await readFile(path))).toBe(true)
  expect(await readdir(dir)).toEqual(['x.zip'])
})

test('a small entry that is damaged is not written anew', async ({ dir }) => {
  const path = await bundle(dir, { manifest: LOG })
  const bytes = await readFile(path)
  const at = bytes.lastIndexOf('PK\x03\x04') + 70
  bytes[at] = (bytes[at] ?? 0) ^ 0x55
  await writeFile(path, bytes)
  const attempt = recompressZip(path, {
    entryName: 'x.core',
    rewrite: { 'x-manifest.json': () => '{}' },
  })
  await expect(attempt).rejects.toMatchObject({ code: 'DAMAGED', subject: 'x-manifest.json' })
})

test.for([
  ['written to', async (path: string) => utimes(path, MTIME, new Date())],
  ['replaced', async (path: string, other: string) => rename(other, path)],
  ['removed', async (path: string) => unlink(path)],
  ['given a second name', async (path: string) => link(path, `${path}.too`)],
] as const)(
  '%s under way: what is there then stays [recompress-9]',
  async ([, change], { dir }) => {
    const path = await bundle(dir)
    const other = join(dir, 'other')
    await writeFile(other, 'another file')
    const attempt = recompressZip(path, {
      entryName: 'x.core',
      // the core is written by then
      rewrite: { 'x-manifest.json': (data) => data },
    }).catch((error: unknown) => error)
    await untilPart(dir)
    await change(path, other)
    expect(await attempt).toMatchObject({ code: 'CHANGED' })
    expect((await readdir(dir)).filter((name) => name.startsWith('.recompress'))).toEqual([])
  },
)

/** As soon as the new archive is being written. */
async function untilPart(dir: string): Promise<void> {
  while (!(await readdir(dir)).some((name) => name.startsWith('.recompress-'))) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

test('of two at once one does it [recompress-10]', async ({ dir }) => {
  const path = await bundle(dir)
  const options = { entryName: 'x.core' }
  const results = await Promise.allSettled([
    recompressZip(path, options),
    recompressZip(path, options),
  ])
  const failed = results.filter(({ status }) => status === 'rejected')
  expect(failed).toMatchObject([{ reason: { code: 'EXISTS' } }])
  await expectReadable(path, CORE)
  expect(await readdir(dir)).toEqual(['x.zip'])
})

test('left-overs of a killed one go, other hidden files stay', async ({ dir }) => {
  const path = await bundle(dir)
  const controller = new AbortController()
  const work = recompressZip(path, { entryName: 'x.core', signal: controller.signal })
  await untilPart(dir)
  const [leftOver = ''] = (await readdir(dir)).filter((name) => name.startsWith('.recompress-'))
  controller.abort(new Error('enough'))
  await expect(work).rejects.toThrow('enough')
  expect(await readdir(dir)).toEqual(['x.zip'])

  const others = ['.x.zip.part', '.recompress-me.part', '.y.zip.upload.json']
  for (const name of [leftOver, ...others]) await writeFile(join(dir, name), 'x')
  await expect(recompressZip(path, { entryName: 'x.core' })).rejects.toMatchObject({
    code: 'EXISTS',
  })
  expect(await removeRecompressLeftOvers(dir)).toBe(1)
  expect((await readdir(dir)).toSorted()).toEqual([...others, 'x.zip'].toSorted())
  await recompressZip(path, { entryName: 'x.core' })
  await expectReadable(path, CORE)
  await expect(removeRecompressLeftOvers(join(dir, 'absent'))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})

test('a descriptor that is held open serves, and stays open', async ({ dir }) => {
  const path = await bundle(dir)
  const fd = openSync(path, 'r')
  await recompressZip(path, { entryName: 'x.core', fd })
  closeSync(fd)
  // the file that was locked is not the one that has the name
  const stale = openSync(path, 'r')
  await copyFile(path, `${path}.copy`)
  await rename(`${path}.copy`, path)
  const again = recompressZip(path, { entryName: 'x.core', fd: stale, minSaving: -1 })
  await expect(again).rejects.toMatchObject({ code: 'CHANGED' })
  closeSync(stale)
})

test('a disk that is full, or would come below what is to be left free [recompress-11]', async ({
  dir,
}) => {
  await using disk = smallDisk(dir, 16)
  if (disk === undefined) return
  const path = await bundle(disk.path)
  const before = await readFile(path)
  const attempt = async (minFreeBytes: number): Promise<unknown> =>
    recompressZip(path, { entryName: 'x.core', minFreeBytes })
  await expect(attempt(12 << 20)).rejects.toMatchObject({ code: 'NO_SPACE' })
  const ballast = join(disk.path, 'ballast')
  expect(() => execFileSync('dd', ['if=/dev/zero', `of=${ballast}`], { stdio: 'ignore' })).toThrow()
  await expect(attempt(0)).rejects.toMatchObject({ code: 'NO_SPACE' })
  expect(before.equals(await readFile(path))).toBe(true)
  expect((await readdir(disk.path)).toSorted()).toEqual(['ballast', 'x.zip'])
  await rm(ballast)
  await attempt(1 << 20)
  await expectReadable(path, CORE)
})

test('a disk that fills under way [recompress-11]', async ({ dir }) => {
  await using disk = smallDisk(dir, 16)
  if (disk === undefined) return
  const core = mixedContent(new Random(5), 9_000_000)
  const path = await bundle(disk.path, { core })
  const work = recompressZip(path, { entryName: 'x.core' }).catch((error: unknown) => error)
  await untilPart(disk.path)
  const ballast = join(disk.path, 'ballast')
  expect(() => execFileSync('dd', ['if=/dev/zero', `of=${ballast}`], { stdio: 'ignore' })).toThrow()
  expect(await work).toMatchObject({ code: 'NO_SPACE' })
  expect((await readdir(disk.path)).toSorted()).toEqual(['ballast', 'x.zip'])
  expect((await lstat(path)).isFile()).toBe(true)
  await expectReadable(path, core)
})
