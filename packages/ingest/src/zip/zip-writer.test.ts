import { execFileSync } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { crc32, deflateRawSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import { createPartFile, streamSink, ZipWriter, type ZipSink } from '../index.ts'

const MTIME = new Date('2026-11-20T10:20:30Z')
const LARGE = Buffer.from('compressible text '.repeat(20_000))

/** One archive with each kind of entry. */
async function fill(sink: ZipSink): Promise<Map<string, Buffer>> {
  const zip = new ZipWriter(sink, { mtime: MTIME })
  const contents = new Map<string, Buffer>([
    ['app-dump-info.json', Buffer.from('{"signal":"11"}')],
    ['app-process/maps', LARGE],
    ['empty', Buffer.alloc(0)],
    ['späte Größe.log', Buffer.from('umlauts in the name')],
    ['streamed.core', LARGE],
  ])
  for (const [name, content] of contents) {
    if (name !== 'streamed.core') {
      await zip.add(name, content)
      continue
    }
    const entry = await zip.entry(name)
    const packed = deflateRawSync(content)
    await entry.write([packed.subarray(0, 100), packed.subarray(100)])
    await entry.finish({ bytes: content.length, crc32: crc32(content) })
  }
  const { entries, bytes } = await zip.finish()
  expect(entries).toBe(contents.size)
  expect(bytes).toBeGreaterThan(0)
  return contents
}

describe.for(readersHere())('$name', (reader) => {
  test('opens an archive in a file', async ({ dir }) => {
    const path = join(dir, 'a.zip')
    const file = await createPartFile(path)
    const contents = await fill(file)
    await file.publish()
    await reader.test(path)
    for (const [name, content] of contents) {
      expect(content.equals(await reader.extract(path, name)), name).toBe(true)
    }
  })

  test('opens an archive on a stream', async ({ dir }) => {
    const path = join(dir, 'a.zip')
    const stream = new PassThrough()
    const [contents, archive] = await Promise.all([
      fill(streamSink(stream)).finally(() => stream.end()),
      buffer(stream),
    ])
    await writeFile(path, archive)
    await reader.test(path)
    for (const [name, content] of contents) {
      expect(content.equals(await reader.extract(path, name)), name).toBe(true)
    }
  })
})

test('completes local headers in a file, so that streaming readers know the sizes', async ({
  dir,
}) => {
  const path = join(dir, 'a.zip')
  const file = await createPartFile(path)
  await fill(file)
  await file.publish()
  const archive = await readFile(path)
  const at = archive.indexOf('streamed.core') - 30
  expect(archive.readUInt32LE(at)).toBe(0x04034b50)
  expect(archive.readUInt16LE(at + 6) & 8, 'no data descriptor').toBe(0)
  expect(archive.readUInt32LE(at + 14)).toBe(crc32(LARGE))
  expect(archive.readBigUInt64LE(at + 30 + 13 + 4)).toBe(BigInt(LARGE.length))
  const extracted = execFileSync('bsdtar', ['-xOf', '-', 'streamed.core'], { input: archive })
  expect(extracted.equals(LARGE)).toBe(true)
})

test('gives entries the given mode and time', async ({ dir }) => {
  const path = join(dir, 'a.zip')
  const file = await createPartFile(path)
  await fill(file)
  await file.publish()
  execFileSync('unzip', ['-q', path, '-d', join(dir, 'out')])
  const found = await stat(join(dir, 'out/streamed.core'))
  expect(found.mode & 0o777).toBe(0o444)
  expect(found.mtime).toEqual(MTIME)
})

test.for([
  new Date('1969-01-01T00:00:00Z'),
  new Date('2200-01-01T00:00:00Z'),
  new Date(Number.NaN),
])('accepts the time %s, which no reader can show', async (mtime, { dir }) => {
  const path = join(dir, 'a.zip')
  const file = await createPartFile(path)
  const zip = new ZipWriter(file, { mtime })
  await zip.add('a', 'b')
  await zip.finish()
  await file.publish()
  for (const reader of readersHere()) await reader.test(path)
})

test('writes more entries than 16 bits can count', async ({ dir }) => {
  const path = join(dir, 'many.zip')
  const file = await createPartFile(path)
  const zip = new ZipWriter(file)
  const count = 70_000
  for (let i = 0; i < count; i++) await zip.add(`d${i % 100}/${i}`, `${i}`)
  await zip.finish()
  await file.publish()
  for (const reader of readersHere().filter(({ name }) => name !== 'jszip')) {
    await reader.test(path)
    expect(String(await reader.extract(path, 'd99/69999')), reader.name).toBe('69999')
  }
  const listed = execFileSync('bsdtar', ['-tf', path], { maxBuffer: 1 << 26 })
  expect(String(listed).trim().split('\n')).toHaveLength(count)
}, 60_000)

describe('rejects', () => {
  const sink: ZipSink = { write: () => {} }

  test.for([
    '',
    '/etc/passwd',
    '../up',
    'a/../b',
    './a',
    'a//b',
    'dir/',
    'a\\b',
    'C:/x',
    'c:x',
    'line\nbreak',
    'nul\0',
    'esc\u001b[31m',
    'txt\u202Egnp.exe',
    'lone\ud800',
    'x'.repeat(65_536),
  ])('the name %j', async (name) => {
    const zip = new ZipWriter(sink)
    await expect(zip.add(name, '')).rejects.toMatchObject({ code: 'INVALID_NAME' })
    await expect(zip.entry(name)).rejects.toMatchObject({ code: 'INVALID_NAME' })
  })

  test('a name it already has', async () => {
    const zip = new ZipWriter(sink)
    await zip.add('a', '1')
    await expect(zip.add('a', '2')).rejects.toMatchObject({ code: 'DUPLICATE_NAME', subject: 'a' })
  })

  test('an entry while another is open', async () => {
    const zip = new ZipWriter(sink)
    await zip.entry('first')
    await expect(zip.add('second', '')).rejects.toThrow(/while entry `first` is open/)
    await expect(zip.finish()).rejects.toMatchObject({ code: 'MISUSE' })
  })

  test('bytes for an entry that has ended, and entries after the end', async () => {
    const zip = new ZipWriter(sink)
    const entry = await zip.entry('a')
    await entry.finish({ bytes: 0, crc32: 0 })
    expect(() => entry.write([Buffer.from('late')])).toThrow(/it has ended/)
    await zip.finish()
    await expect(zip.add('b', '')).rejects.toMatchObject({ code: 'MISUSE' })
  })
})

test('removes an abandoned entry from a file', async ({ dir }) => {
  const path = join(dir, 'a.zip')
  const file = await createPartFile(path)
  const zip = new ZipWriter(file)
  await zip.add('before', '1')
  const entry = await zip.entry('gone')
  await entry.write([LARGE])
  await entry.abandon()
  await zip.add('gone', 'second try')
  await zip.finish()
  await file.publish()
  expect((await readFile(path)).includes('compressible')).toBe(false)
  for (const reader of readersHere()) {
    await reader.test(path)
    expect(String(await reader.extract(path, 'gone'))).toBe('second try')
  }
})

test('throws for every use of a stream after an entry was abandoned', async () => {
  const zip = new ZipWriter({ write: () => {} })
  const entry = await zip.entry('gone')
  await expect(entry.abandon()).rejects.toThrow(/the sink cannot be truncated/)
  await expect(zip.add('next', '')).rejects.toMatchObject({ code: 'MISUSE' })
})

test('rejects the pending write of a stream that breaks', async () => {
  const stream = new PassThrough({ highWaterMark: 1 })
  const zip = new ZipWriter(streamSink(stream))
  const writing = zip.add('a', LARGE)
  stream.destroy(new Error('the network is gone'))
  await expect(writing).rejects.toThrow(/Cannot write archive entry `a`/)
  await expect(zip.add('b', '')).rejects.toMatchObject({ code: 'FAILED_BEFORE' })
})
