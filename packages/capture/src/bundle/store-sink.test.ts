import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createPartFile, drain, type PartFile, ZipWriter } from '@core-dump-handler/ingest'
import { smallDisk } from '@core-dump-handler/testing/small-disk'
import { describeS3, type S3Test } from '@core-dump-handler/testing/upload/s3-test'
import { expect, test } from 'vitest'
import type { CaptureContext } from '../context.ts'
import { createLimiter } from '../index.ts'
import { parseComposerSettings } from '../settings/index.ts'
import { Warnings } from '../warnings.ts'
import { StoreSink } from './store-sink.ts'

const MIB = 2 ** 20
const DISK_MIB = 48
const UUID = 'd3b07384-d9a0-4c9b-8f52-3a1b5a5f7c11'
const NAME = `${UUID}.zip`
const BLOCK = randomFillSync(Buffer.alloc(MIB))

/** Of so many MiB, no two of them equal and none compressible. */
function* core(mebibytes: number): Generator<Buffer> {
  for (let n = 0; n < mebibytes; n++) {
    const bytes = Buffer.from(BLOCK)
    bytes.writeUInt32LE(n, 0)
    yield bytes
  }
}

interface Sink {
  readonly part: PartFile
  readonly sink: StoreSink
  readonly zip: ZipWriter
}

/** fallocate(1), as the receiver does by fallocate(2). */
async function freeByTool(fd: number, position: number, bytes: number): Promise<void> {
  const range = ['-p', '-o', String(position), '-l', String(bytes)]
  execFileSync('fallocate', [...range, `/proc/${process.pid}/fd/${fd}`])
}

async function unsupported(): Promise<never> {
  throw new Error('Operation not supported')
}

async function sinkOn(
  directory: string,
  s3: S3Test,
  { name = NAME, stallMs = 10_000, signal = new AbortController().signal, free = freeByTool } = {},
): Promise<Sink> {
  const store = s3.open({ maxAttempts: 1 })
  const context: CaptureContext = {
    settings: parseComposerSettings({ STRAIGHT_TO_STORE: 'auto' }).settings,
    home: undefined,
    directory,
    version: '1.0.0',
    warnings: new Warnings(),
    log: { write: () => {} },
    stop: { signal, cause: undefined },
    limiter: createLimiter({ limit: 1 }),
    uploadBundle: ({ path, finalPath, uuid }) =>
      store.putGrowing({ path, finalPath, uniqueId: uuid, free }, name),
  }
  const part = await createPartFile(join(directory, name))
  const sink = new StoreSink(part, context, { uuid: UUID, stallMs })
  return { part, sink, zip: new ZipWriter(sink, { onPool: true }) }
}

async function finish({ part, sink, zip }: Sink): Promise<void> {
  await sink.endCore()
  await zip.add('manifest.json', '{}')
  await zip.finish()
  await sink.seal()
  await part.publish()
  await sink.close()
}

describeS3('a bundle whose parts go to the store', (start) => {
  test('is larger than the disk, and whole', async () => {
    await using s3 = await start()
    await using disk = smallDisk(s3.dir, DISK_MIB)
    if (disk === undefined) return
    const bundle = await sinkOn(disk.path, s3)
    bundle.sink.beginCore()
    const source = Readable.from(core(150))
    const result = await drain(source, bundle.zip, { entryName: 'core', mode: 'store' })
    expect(result).toMatchObject({ complete: true, bytes: 150 * MIB })
    await finish(bundle)
    await s3.store.put(join(disk.path, NAME), NAME)
    const object = join(s3.objects, NAME)
    const bytes = execFileSync('unzip', ['-p', object, 'core'], { maxBuffer: 2 ** 28 })
    expect(bytes.equals(Buffer.concat([...core(150)]))).toBe(true)
    execFileSync('unzip', ['-tq', object])
  })

  test('is noted as finished once a full disk has room again', async () => {
    await using s3 = await start()
    await using disk = smallDisk(s3.dir, DISK_MIB)
    if (disk === undefined) return
    const bundle = await sinkOn(disk.path, s3)
    bundle.sink.beginCore()
    await drain(Readable.from(core(60)), bundle.zip, { entryName: 'core', mode: 'store' })
    await bundle.sink.endCore()
    const other = join(disk.path, 'other')
    const fill = (): void => writeFileSync(other, Buffer.alloc(DISK_MIB * MIB), { flag: 'a' })
    expect(fill).toThrow(/ENOSPC/)
    setTimeout(() => rmSync(other), 500)
    await finish(bundle)
    await s3.store.put(join(disk.path, NAME), NAME)
    execFileSync('unzip', ['-tq', join(s3.objects, NAME)])
  })

  test('of several at once leaves room on the disk for what follows their cores', async () => {
    await using s3 = await start()
    await using disk = smallDisk(s3.dir, 2 * DISK_MIB)
    if (disk === undefined) return
    let free = Infinity
    const look = setInterval(() => {
      const { bavail, bsize } = statfsSync(disk.path)
      free = Math.min(free, bavail * bsize)
    }, 1)
    const write = async (name: string): Promise<void> => {
      const bundle = await sinkOn(disk.path, s3, { name })
      bundle.sink.beginCore()
      const options = { entryName: 'core', mode: 'store' } as const
      const result = await drain(Readable.from(core(60)), bundle.zip, options)
      expect(result.complete).toBe(true)
      await finish(bundle)
      const path = join(disk.path, name)
      await s3.store.put(path, name)
      rmSync(path)
    }
    await Promise.all(Array.from({ length: 6 }, async (_, n) => write(`${UUID}-${n}.zip`)))
    clearInterval(look)
    expect(free).toBeLessThan(DISK_MIB * MIB)
    expect(free).toBeGreaterThan(8 * MIB)
  })

  test('is cut with the reason when the store confirms nothing for the time limit', async () => {
    await using s3 = await start()
    await using disk = smallDisk(s3.dir, DISK_MIB)
    if (disk === undefined) return
    s3.proxy.inject({ on: 'UploadPart', kind: 'internal-error', times: 1000 })
    const bundle = await sinkOn(disk.path, s3, { stallMs: 700 })
    bundle.sink.beginCore()
    const source = Readable.from(core(150))
    const result = await drain(source, bundle.zip, { entryName: 'core', mode: 'store' })
    expect(result).toMatchObject({ complete: false, cut: 'no-space' })
    expect(result.reason).toMatch(/the store confirmed no part for 700 ms: .*InternalError/)
    expect(result.bytes).toBeGreaterThan(10 * MIB)
    await finish(bundle)
    const path = join(disk.path, NAME)
    const bytes = execFileSync('unzip', ['-p', path, 'core'], { maxBuffer: 2 ** 28 })
    expect(bytes.equals(Buffer.concat([...core(150)]).subarray(0, result.bytes))).toBe(true)
  })

  test('is cut at once where the file system cannot free a part of a file', async () => {
    await using s3 = await start()
    await using disk = smallDisk(s3.dir, DISK_MIB)
    if (disk === undefined) return
    const bundle = await sinkOn(disk.path, s3, { free: unsupported })
    bundle.sink.beginCore()
    const source = Readable.from(core(150))
    const result = await drain(source, bundle.zip, { entryName: 'core', mode: 'store' })
    expect(result.reason).toMatch(/nothing more can be sent to the store: Operation not supported/)
    await finish(bundle)
    execFileSync('unzip', ['-tq', join(disk.path, NAME)])
    const content = readFileSync(join(disk.path, NAME))
    await s3.store.put(join(disk.path, NAME), NAME)
    expect(readFileSync(join(s3.objects, NAME)).equals(content)).toBe(true)
  })

  test('is cut at once when the capture is stopped while it waits', async () => {
    await using s3 = await start()
    await using disk = smallDisk(s3.dir, DISK_MIB)
    if (disk === undefined) return
    s3.proxy.inject({ on: 'UploadPart', kind: 'hang', times: 1000 })
    const signal = AbortSignal.timeout(1500)
    const bundle = await sinkOn(disk.path, s3, { signal })
    bundle.sink.beginCore()
    const source = Readable.from(core(150))
    const result = await drain(source, bundle.zip, { entryName: 'core', mode: 'store', signal })
    expect(result.reason).toMatch(/the capture was stopped/)
    await finish(bundle)
    execFileSync('unzip', ['-tq', join(disk.path, NAME)])
  })

  test('is an ordinary file when the core is taken back after a part was freed', async () => {
    await using s3 = await start()
    await s3.server.abortUploads()
    await using disk = smallDisk(s3.dir, DISK_MIB)
    if (disk === undefined) return
    const bundle = await sinkOn(disk.path, s3)
    bundle.sink.beginCore()
    const source = Readable.from(core(150))
    const draining = drain(source, bundle.zip, {
      entryName: 'core',
      mode: 'store',
      onProgress: ({ bytes }) => {
        if (bytes > 60 * MIB) throw new Error('it is not wanted')
      },
    })
    await expect(draining).rejects.toThrow('it is not wanted')
    await finish(bundle)
    const path = join(disk.path, NAME)
    const content = readFileSync(path)
    execFileSync('unzip', ['-tq', path])
    await s3.store.put(path, NAME)
    expect(readFileSync(join(s3.objects, NAME)).equals(content)).toBe(true)
    expect(await s3.server.uploads()).toEqual([])
  })
})
