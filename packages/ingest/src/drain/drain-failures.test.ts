import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { describe, expect } from 'vitest'
import { mixedContent } from '@core-dump-handler/testing/content'
import { exited, isOpen, pipeFrom } from '@core-dump-handler/testing/pipe'
import { type Compression, compressionsHere, enginesHere } from '@core-dump-handler/testing/engines'
import { Random } from '@core-dump-handler/testing/random'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import { smallDisk } from '@core-dump-handler/testing/small-disk'
import {
  createPartFile,
  drain,
  ZipWriter,
  type DrainMode,
  type DrainResult,
  type PartFile,
  type ZipSink,
} from '../index.ts'

const CONTENT = mixedContent(new Random(7), 6_000_000)
const ENTRIES = { 'a.json': '{"first":1}', 'b.log': 'last words\n'.repeat(50) }

/** A file whose k-th write or patch fails, as a disk does. */
function failingAt(file: PartFile, k: number): { sink: ZipSink; calls: () => number } {
  let calls = 0
  const counted = <A extends unknown[], R>(call: (...args: A) => R) => {
    return (...args: A): R => {
      if (++calls === k) throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
      return call(...args)
    }
  }
  const sink = {
    write: counted((chunks: readonly Uint8Array[]) => file.write(chunks)),
    patch: counted((bytes: Uint8Array, position: number) => file.patch(bytes, position)),
    truncate: (length: number) => file.truncate(length),
  }
  return { sink, calls: () => calls }
}

/** A file on a disk with so much room: a write uses it up before it fails. */
function onDiskOf(file: PartFile, room: number): ZipSink {
  return {
    write: (chunks) => {
      const bytes = Buffer.concat(chunks)
      const left = room - file.bytes
      if (bytes.length <= left) return file.write([bytes])
      const before = file.bytes
      file.write([bytes.subarray(0, left)])
      // for the writer, the bytes of a failed write are after the end
      file.truncate(before)
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    },
    patch: (bytes, position) => file.patch(bytes, position),
    truncate: (length) => file.truncate(length),
  }
}

interface Kept {
  readonly names: readonly string[]
  readonly core: DrainResult | undefined
}

/** Writes a bundle as a composer does: a failure costs only its own entry. */
async function bundle(sink: ZipSink, compression: Compression): Promise<Kept> {
  const zip = new ZipWriter(sink)
  const names: string[] = []
  const attempt = async <T>(name: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      const done = await work()
      names.push(name)
      return done
    } catch (error) {
      expect(error).toMatchObject({ name: 'IngestError' })
      return undefined
    }
  }
  const options = { entryName: 'x.core', ...compression }
  await attempt('a.json', () => zip.add('a.json', ENTRIES['a.json']))
  const core = await attempt('x.core', () => drain(Readable.from([CONTENT]), zip, options))
  await attempt('b.log', () => zip.add('b.log', ENTRIES['b.log']))
  await zip.finish()
  return { names, core }
}

/** Independent readers find the named entries; the core is a prefix of the source. */
async function expectReadable(
  path: string,
  { names, core }: Kept,
  mode?: DrainMode,
): Promise<void> {
  const wanted = mode === 'zstd' ? /bsdtar/ : /jszip|bsdtar/
  for (const reader of readersHere().filter(({ name }) => wanted.test(name))) {
    await reader.test(path)
    for (const name of names) {
      const bytes = await reader.extract(path, name)
      if (name !== 'x.core') expect(String(bytes)).toBe(new Map(Object.entries(ENTRIES)).get(name))
      else {
        expect(bytes.equals(CONTENT.subarray(0, core?.bytes))).toBe(true)
        expect(bytes.length).toBe(core?.bytes)
        expect(crc32(bytes)).toBe(core?.crc32)
      }
    }
  }
  if (core === undefined) return
  const { zeroBytes, storedBytes, compressedBytes } = core.treated
  expect(zeroBytes + storedBytes + compressedBytes).toBe(core.bytes)
  expect(core.complete).toBe(core.bytes === CONTENT.length)
}

test.for(enginesHere())(
  'keeps a prefix of the core and no bytes of another entry, whichever write fails (%s) [composer-13, B33]',
  { timeout: 60_000 },
  async (engine, { dir }) => {
    let cut = 0
    // the number of writes depends on the lanes: until there is no k-th one
    for (let k = 1; ; k++) {
      const path = join(dir, `${k}.zip`)
      await using file = await createPartFile(path)
      const { sink, calls } = failingAt(file, k)
      const kept = await bundle(sink, { mode: 'deflate', engine }).catch((error: unknown) => {
        expect(error, `write ${k}`).toMatchObject({ code: 'IO', subject: 'central directory' })
        return undefined
      })
      if (kept === undefined) continue
      if (calls() < k) {
        expect(k).toBeGreaterThan(10)
        expect(kept.core).toMatchObject({ complete: true })
        break
      }
      await file.publish()
      await expectReadable(path, kept)
      if (kept.core?.complete === false) {
        cut++
        expect(kept.core).toMatchObject({
          cut: 'write-error',
          reason: expect.stringMatching(/^Cut after \d+ bytes: Cannot write .*EIO/),
        })
      }
      // the entry whose write failed, and the core where nothing of it was written
      if (kept.core?.complete !== false) expect(kept.names, `write ${k}`).toHaveLength(2)
      else expect(kept.names, `write ${k}`).toHaveLength(3)
    }
    expect(cut).toBeGreaterThan(3)
  },
)

describe('a full disk', () => {
  test.for(compressionsHere())(
    'keeps a prefix of the core, wherever it is full ($mode with $engine) [composer-12]',
    { timeout: 60_000 },
    async (compression, { dir }) => {
      const whole = await createPartFile(join(dir, 'whole.zip'))
      await bundle(whole, compression)
      const most = whole.bytes
      await whole.discard()
      let kept = 0
      for (let room = 1000; room < most; room += Math.ceil(most / 12)) {
        const path = join(dir, `${room}.zip`)
        await using file = await createPartFile(path)
        const result = await bundle(onDiskOf(file, room), compression)
        await file.publish()
        await expectReadable(path, result, compression.mode)
        expect(result.names).toContain('b.log')
        if (result.core === undefined) continue
        kept++
        expect(result.core).toMatchObject({
          complete: false,
          cut: 'no-space',
          reason: expect.stringContaining('ENOSPC'),
        })
        // given back are the spare bytes, at most one write and a part of one
        const given = Math.min(room / 2, 256 * 1024) + 640 * 1024
        expect(room - result.core.storedBytes).toBeLessThan(given)
      }
      expect(kept).toBeGreaterThan(8)
    },
  )

  test('closes the source at once, and a prefix of the core is published [composer-12]', async ({
    dir,
  }) => {
    await using disk = smallDisk(dir, 3)
    if (disk === undefined) return
    const path = join(disk.path, 'a.zip')
    const file = await createPartFile(path)
    const zip = new ZipWriter(file)
    const { fd, writer } = pipeFrom(dir, 'cat /dev/urandom')
    let open: boolean | undefined
    const onRelease = (): void => void (open = isOpen(fd))
    const core = await drain(fd, zip, { entryName: 'x.core', onRelease })
    expect(open).toBe(false)
    await exited(writer)
    expect(core).toMatchObject({ complete: false, cut: 'no-space' })
    expect(core.bytes).toBeGreaterThan(2_000_000)

    // room for an incompressible log of 200 KiB
    const log = randomBytes(200 * 1024)
    await zip.add('a.log', log)
    await zip.add('record.json', '{"core":"no space"}')
    await zip.finish()
    expect(existsSync(path)).toBe(false)
    await file.publish()
    for (const reader of readersHere()) {
      await reader.test(path)
      expect(crc32(await reader.extract(path, 'x.core'))).toBe(core.crc32)
    }
    expect(readdirSync(disk.path)).toEqual(['a.zip'])
  })

  test('without room for a prefix throws, and the archive continues with a record', async ({
    dir,
  }) => {
    await using file = await createPartFile(join(dir, 'a.zip'))
    const zip = new ZipWriter(onDiskOf(file, 20_000))
    const { fd, writer } = pipeFrom(dir, 'cat /dev/urandom')
    await expect(drain(fd, zip, { entryName: 'x.core' })).rejects.toMatchObject({
      name: 'IngestError',
      code: 'NO_SPACE',
      subject: 'x.core',
    })
    expect(isOpen(fd)).toBe(false)
    await exited(writer)
    // the bytes of the core are free again
    await zip.add('record.json', '{"core":"no space"}')
    await zip.finish()
    await file.publish()
    for (const reader of readersHere()) await reader.test(join(dir, 'a.zip'))
  })
})

test('the file size limit leaves a prefix of the core [composer-12]', async ({ dir }) => {
  const path = join(dir, 'a.zip')
  const program = `
    import { createPartFile, drain, ZipWriter } from '${new URL('../index.ts', import.meta.url).href}'
    const file = await createPartFile(process.argv[1])
    const zip = new ZipWriter(file)
    const core = await drain(0, zip, { entryName: 'x.core' })
    await zip.add('record.json', JSON.stringify(core))
    await zip.finish()
    await file.publish()
    console.log(JSON.stringify(core))`
  const limited = `head -c 9M /dev/urandom | prlimit --fsize=3000000 "$0" --input-type=module -e "$1" "$2"`
  const output = execFileSync('sh', ['-c', limited, process.execPath, program, path])
  const core: unknown = JSON.parse(String(output))
  expect(core).toMatchObject({ cut: 'no-space', reason: expect.stringContaining('EFBIG') })
  for (const reader of readersHere()) {
    await reader.test(path)
    const bytes = await reader.extract(path, 'x.core')
    expect(bytes.length).toBeGreaterThan(2_000_000)
    expect(core).toMatchObject({ bytes: bytes.length, crc32: crc32(bytes) })
  }
})

test('an asynchronous sink that fails keeps a prefix of the core', async ({ dir }) => {
  const path = join(dir, 'a.zip')
  await using file = await createPartFile(path)
  const zip = new ZipWriter({
    write: async (chunks) => {
      await sleep(5)
      if (file.bytes > 1_000_000) throw Object.assign(new Error('quota'), { code: 'EDQUOT' })
      file.write(chunks)
    },
    patch: (bytes, position) => file.patch(bytes, position),
    truncate: (length) => file.truncate(length),
  })
  const core = await drain(Readable.from([CONTENT]), zip, { entryName: 'x.core' })
  expect(core).toMatchObject({ complete: false, cut: 'no-space' })
  await zip.finish()
  await file.publish()
  await expectReadable(path, { names: ['x.core'], core })
})

test('a stream that fails ends the drain and closes the source', async ({ dir }) => {
  let written = 0
  const zip = new ZipWriter({
    write: async (chunks) => {
      for (const chunk of chunks) written += chunk.length
      if (written > 1_000_000) throw new Error('the connection was reset')
    },
  })
  const { fd, writer } = pipeFrom(dir, 'cat /dev/urandom')
  await expect(drain(fd, zip, { entryName: 'x.core' })).rejects.toThrow(/the connection was reset/)
  await exited(writer)
  await expect(zip.finish()).rejects.toMatchObject({ code: expect.stringMatching(/MISUSE|FAILED/) })
})

async function* endless(): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(100_000, 'core dump ')
  for (;;) yield chunk
}

test.for(['generator', 'file'])(
  'a %s that is being read when a slow disk fails is let go',
  async (kind, { dir }) => {
    let writes = 0
    const zip = new ZipWriter({
      write: async () => {
        await sleep(20)
        if (++writes > 3) throw new Error('EIO: the disk is gone')
      },
    })
    const source = kind === 'file' ? openSync('/dev/urandom', 'r') : endless()
    const options = { entryName: 'x.core', mode: 'store', lanes: 1 } as const
    await expect(drain(source, zip, options)).rejects.toThrow(/the disk is gone/)
    if (typeof source === 'number') expect(isOpen(source)).toBe(false)
    expect(readdirSync(dir)).toEqual([])
  },
)

function failing(): never {
  throw new RangeError('no such column')
}

test('a callback that throws ends the drain, and the archive continues without the entry', async ({
  dir,
}) => {
  const path = join(dir, 'a.zip')
  await using file = await createPartFile(path)
  const zip = new ZipWriter(file)
  const { fd, writer } = pipeFrom(dir, 'cat /dev/zero')
  await expect(drain(fd, zip, { entryName: 'x.core', onProgress: failing })).rejects.toThrow(
    'no such column',
  )
  await exited(writer)
  await zip.add('b', 'c')
  await zip.finish()
  await file.publish()
  for (const reader of readersHere()) await reader.test(path)
})

test('a closed part file rejects the first byte, and the source is closed', async ({ dir }) => {
  const file = await createPartFile(join(dir, 'a.zip'))
  await file.discard()
  const { fd, writer } = pipeFrom(dir, 'cat /dev/zero')
  await expect(drain(fd, new ZipWriter(file), { entryName: 'x' })).rejects.toThrow(/it is closed/)
  await exited(writer)
  // the number is free again
  const other = openSync(join(dir, 'other'), 'w')
  writeSync(other, 'x')
  closeSync(other)
})
