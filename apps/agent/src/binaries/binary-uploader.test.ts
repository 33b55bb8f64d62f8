import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readStoredBinaries } from '@core-dump-handler/bundle'
import { openDestination } from '@core-dump-handler/upload'
import { pino } from 'pino'
import { beforeEach, describe, expect, it } from 'vitest'
import { LeftOverBinaries, removeBinaries, StoredBinaries } from './binary-spool.ts'
import { type BinaryEvent, BinaryUploader, type BinaryUploaderOptions } from './binary-uploader.ts'

const A = 'aa'.repeat(20)
const B = 'bb'.repeat(8)
const NO_LIMITS = { maxBytes: 0, maxFiles: 0, maxAgeMs: 0 }

let root: string
let directory: string
let bucket: string
const log = pino({ level: 'silent' })
const { signal } = new AbortController()

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'binaries-'))
  directory = join(root, 'binaries')
  bucket = join(root, 'bucket')
  await mkdir(directory)
  return () => rm(root, { recursive: true })
})

function uploader(options: Partial<BinaryUploaderOptions> = {}): BinaryUploader {
  return new BinaryUploader({
    directory,
    destination: openDestination(pathToFileURL(bucket).href),
    limits: NO_LIMITS,
    log,
    bundles: () => ({ areDue: false, bytes: 0 }),
    ...options,
  })
}

const put = (name: string, content = name): Promise<void> =>
  writeFile(join(directory, name), content)
const stored = async (): Promise<string[]> =>
  (await readdir(join(bucket, 'binaries')).catch((): string[] => [])).toSorted()
const waiting = async (): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name !== '.stored').toSorted()

describe('BinaryUploader', () => {
  it('stores each binary once and remembers it', async () => {
    await put(A)
    await put(B)
    expect(await uploader().round(signal)).toEqual({ done: 2, failed: 0 })
    expect(await stored()).toEqual([A, B])
    expect(await waiting()).toEqual([])
    expect([...(await readStoredBinaries(directory)).keys()]).toEqual([A, B])
    expect((await stat(join(directory, '.stored'))).mode & 0o777).toBe(0o600)
    // another node has it too
    await put(A)
    expect(await uploader().round(signal)).toEqual({ done: 1, failed: 0 })
    expect(await waiting()).toEqual([])
  })

  it('reports what was stored, was there already, or failed', async () => {
    const events: BinaryEvent[] = []
    const onEvent = (event: BinaryEvent): void => void events.push(event)
    await put(A, 'four')
    await uploader({ onEvent }).round(signal)
    await put(A, 'four')
    await uploader({ onEvent }).round(signal)
    await put(A, 'another file')
    await uploader({ onEvent }).round(signal)
    expect(events).toEqual([
      { type: 'stored', bytes: 4, isNew: true },
      { type: 'stored', bytes: 4, isNew: false },
      { type: 'failed', code: 'OCCUPIED' },
    ])
  })

  it('takes no other files, and does nothing without the directory', async () => {
    for (const name of [`.${A}.part`, 'README', 'x.zip', A.slice(1)]) await put(name)
    expect(await uploader().round(signal)).toEqual({ done: 0, failed: 0 })
    await rm(directory, { recursive: true })
    expect(await uploader().round(signal)).toEqual({ done: 0, failed: 0 })
    expect(await stored()).toEqual([])
  })

  it('keeps the file that came first under a build-id', async () => {
    await put(A, 'the first')
    await uploader().round(signal)
    await put(A, 'another')
    expect(await uploader().round(signal)).toEqual({ done: 1, failed: 0 })
    expect(await readFile(join(bucket, 'binaries', A), 'utf8')).toBe('the first')
    expect(await stored()).toEqual([A])
    expect(await waiting()).toEqual([])
  })

  it('keeps what a failing store does not take, and does not ask it for each', async () => {
    await writeFile(bucket, 'a file where a directory should be')
    await put(A)
    await put(B)
    const one = uploader()
    expect((await one.round(signal)).failed).toBeGreaterThan(0)
    expect(await one.round(signal)).toEqual({ done: 0, failed: 0 })
    expect(await waiting()).toEqual([A, B])
    expect((await readStoredBinaries(directory)).size).toBe(0)
  })

  it('uploads also where it cannot note that', async () => {
    await put(A)
    await mkdir(join(directory, '.stored'))
    expect(await uploader().round(signal)).toEqual({ done: 1, failed: 0 })
    expect(await stored()).toEqual([A])
    expect(await waiting()).not.toContain(A)
  })

  it('waits while bundles can be sent', async () => {
    await put(A)
    let areDue = true
    const round = uploader({ bundles: () => ({ areDue, bytes: 0 }) }).round(signal)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await stored()).toEqual([])
    areDue = false
    expect(await round).toEqual({ done: 1, failed: 0 })
  })

  it('goes on after a bundle that came in between', async () => {
    await put(A, 'x'.repeat(20_000_000))
    const one = uploader()
    const round = one.round(signal)
    const timer = setInterval(() => one.interrupt(), 1)
    setTimeout(() => clearInterval(timer), 300)
    expect(await round).toEqual({ done: 1, failed: 0 })
    expect(await stored()).toEqual([A])
  })

  it('deletes what has no room beside the bundles, or is too old', async () => {
    await put(A, 'x'.repeat(100))
    await put(B, 'x'.repeat(100))
    const limits = { ...NO_LIMITS, maxBytes: 1000 }
    expect(
      await uploader({ bundles: () => ({ areDue: false, bytes: 850 }), limits }).round(signal),
    ).toEqual({ done: 1, failed: 0 })
    expect(await stored()).toHaveLength(1)
    await put(A)
    const old = { ...NO_LIMITS, maxAgeMs: 1 }
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await uploader({ limits: old }).round(signal)).toEqual({ done: 0, failed: 0 })
    expect(await waiting()).toEqual([])
  })
})

describe('StoredBinaries', () => {
  it('knows nothing of another destination', async () => {
    await new StoredBinaries(directory, 's3://one/').add(A)
    expect((await readStoredBinaries(directory)).size).toBe(1)
    await new StoredBinaries(directory, 's3://one/').open()
    expect((await readStoredBinaries(directory)).size).toBe(1)
    await new StoredBinaries(directory, 's3://two/').open()
    expect((await readStoredBinaries(directory)).size).toBe(0)
  })

  it('does not grow for ever', async () => {
    const lines = Array.from({ length: 9999 }, (_, index) => {
      return `${index.toString(16).padStart(40, '0')} ${Date.now()}\n`
    })
    await writeFile(join(directory, '.stored'), `s3://one/\n${lines.join('')}`)
    const memory = new StoredBinaries(directory, 's3://one/')
    await memory.add(A)
    await memory.add(B)
    const left = [...(await readStoredBinaries(directory)).keys()]
    expect(left.length).toBeLessThanOrEqual(5001)
    expect(left.slice(-2)).toEqual([A, B])
    expect(await readdir(directory)).toEqual(['.stored'])
  })
})

describe('LeftOverBinaries', () => {
  it('deletes a part whose composer is dead, and nothing else', async () => {
    await put(`.${A}.part`)
    await put(B)
    // no processes can be seen there: what stays unchanged for longer than a composer may run is left over
    const watch = { procRoot: root, maxLifeMs: 0, quietMs: 0 }
    const leftOvers = new LeftOverBinaries(directory, watch, log)
    expect(await leftOvers.scan()).toBe(1)
    expect(await leftOvers.scan()).toBe(0)
    expect(await readdir(directory)).toEqual([B])
    await rm(directory, { recursive: true })
    expect(await leftOvers.scan()).toBe(0)
  })
})

describe('removeBinaries', () => {
  it('deletes what BINARIES=true has left, and no other file', async () => {
    for (const name of [A, `.${B}.part`, '.stored', `.${A}.upload.json`, 'README']) await put(name)
    await removeBinaries(directory)
    expect(await readdir(directory)).toEqual(['README'])
    await rm(directory, { recursive: true })
    await removeBinaries(directory)
  })
})
