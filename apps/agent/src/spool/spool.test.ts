import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ZipWriter, createPartFile } from '@core-dump-handler/ingest'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readBundle } from '@core-dump-handler/bundle'
import { recordSuppressed } from './record-suppressed.ts'
import { Spool } from './spool.ts'

let dir: string
let dropped: string[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spool-'))
  dropped = []
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A bundle with a core of `container`, so many minutes old. */
async function bundle(name: string, container: string, minutes: number): Promise<void> {
  const time = new Date(Date.now() - minutes * 60_000)
  const part = await createPartFile(join(dir, `${name}.zip`))
  const zip = new ZipWriter(part)
  const manifest = {
    schema: 'core-dump-handler/bundle@1',
    composer: '0.1.0',
    node: { hostname: 'node-1', kernel: '6.1.0' },
    uuid: `uuid-of-${name}`,
    crash: { time: time.toISOString(), signal: 11 },
    identity: { status: 'verified', namespace: 'n', container, imageRef: 'sha256:1' },
    core: { entry: `${name}.core`, bytes: 100, complete: true },
    timings: { heldMs: 1, lookupMs: 1, totalMs: 1 },
    problems: [{ code: 'CRI_UNAVAILABLE', message: 'as it was' }],
  }
  await zip.add(`${name}-dump-info.json`, JSON.stringify({ uuid: name }))
  await zip.add(`${name}.core`, Buffer.alloc(50_000, name))
  await zip.add(`${name}-manifest.json`, JSON.stringify(manifest))
  await zip.finish()
  await part.publish()
  await utimes(join(dir, `${name}.zip`), time, time)
}

function open(limits: { maxBytes?: number; maxFiles?: number; maxAgeMs?: number }): Spool {
  return new Spool(dir, {
    limits: { maxBytes: 0, maxFiles: 0, maxAgeMs: 0, ...limits },
    log: pino({ level: 'silent' }),
    onDropped: (reason) => dropped.push(reason),
  })
}

const openFiles = (): number => readdirSync('/proc/self/fd').length
const list = async (): Promise<string[]> => (await readdir(dir)).toSorted()

test('evicted bundles are recorded once per workload, and counted', async () => {
  for (let i = 1; i <= 4; i++) await bundle(`a${i}`, 'a', 100 - i)
  await bundle('b1', 'b', 99)
  await open({ maxAgeMs: 1000 }).look()
  expect(await list()).toEqual(['a1.zip', 'a4-dropped.zip', 'b1.zip'])
  expect(dropped).toEqual(Array(3).fill('SPOOL_MAX_AGE_HOURS'))
  const { manifest, dumpInfo, dropped: told } = await readBundle(join(dir, 'a4-dropped.zip'))
  expect(dumpInfo).toBe('{"uuid":"a4"}')
  expect(manifest).toMatchObject({
    identity: { namespace: 'n', container: 'a' },
    core: { bytes: 0, complete: false, reason: expect.stringContaining('with 2 others') },
    problems: [{ code: 'CRI_UNAVAILABLE' }, { code: 'SPOOL_DROPPED' }],
  })
  expect(told).toMatchObject([
    { bundle: 'a2.zip', uuid: 'uuid-of-a2', reason: 'SPOOL_MAX_AGE_HOURS' },
    { bundle: 'a3.zip', uuid: 'uuid-of-a3' },
    { bundle: 'a4.zip', uuid: 'uuid-of-a4' },
  ])
})

test('records of earlier evictions become one record of all', async () => {
  await bundle('a1', 'a', 500)
  const spool = open({ maxFiles: 2 })
  for (let i = 2; i <= 8; i++) {
    await bundle(`a${i}`, 'a', 500 - i)
    await spool.look()
  }
  const files = await list()
  expect(files).toContain('a1.zip')
  expect(files.length).toBeLessThanOrEqual(4)
  const told = await Promise.all(files.map(async (name) => readBundle(join(dir, name))))
  const gone = told.flatMap(({ dropped: ones }) => ones?.map((one) => one.bundle) ?? [])
  const there = files.filter((name) => !name.includes('dropped'))
  expect([...gone, ...there].toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((i) => `a${i}.zip`))
  expect(dropped).toHaveLength(gone.length)
})

test('bundles that are being uploaded and other files are not evicted', async () => {
  for (let i = 1; i <= 3; i++) await bundle(`a${i}`, 'a', 100 - i)
  await writeFile(join(dir, '.a9.zip.part'), 'x')
  await mkdir(join(dir, 'd.zip'))
  await symlink('/etc/passwd', join(dir, 'l.zip'))
  const spool = open({ maxBytes: 1 })
  spool.note({ type: 'started', file: join(dir, 'a2.zip'), bytes: 1 })
  await spool.look()
  expect(await list()).toEqual([
    '.a9.zip.part',
    'a1.zip',
    'a2.zip',
    'a3-dropped.zip',
    'd.zip',
    'l.zip',
  ])
  spool.note({ type: 'skipped', file: join(dir, 'a2.zip'), reason: 'locked' })
  await spool.look()
  expect(await list()).not.toContain('a2.zip')
})

test('an unreadable file is evicted with a record that reports it', async () => {
  for (const name of ['x1.zip', 'x2.zip']) await writeFile(join(dir, name), Buffer.alloc(9000))
  await utimes(join(dir, 'x1.zip'), 1, 1)
  await open({ maxBytes: 10_000 }).look()
  expect(await list()).toEqual(['x1.zip', 'x2-dropped.zip'])
  const { manifest } = await readBundle(join(dir, 'x2-dropped.zip'))
  expect(manifest?.identity).toMatchObject({ status: 'unverified', reason: expect.any(String) })
})

test('crashes that a composer suppressed are recorded when their window is over', async () => {
  const hostDir = join(dir, 'host')
  const coreDir = join(dir, 'cores')
  await mkdir(join(hostDir, 'rate'), { recursive: true })
  await mkdir(coreDir)
  const facts = {
    scope: 'host',
    exe: '/bin/x',
    comm: 'x',
    signal: '11',
    signalName: 'SIGSEGV',
    hostname: 'h',
    limit: 3,
  }
  const write = async (name: string, crashes: number, json?: unknown): Promise<void> => {
    await writeFile(join(hostDir, 'rate', name), '.'.repeat(crashes))
    if (json !== undefined)
      await writeFile(join(hostDir, 'rate', `${name}.json`), JSON.stringify(json))
  }
  const now = `host-11-0000000c-600-${Math.floor(Date.now() / 600_000)}`
  await write('host-11-0000000a-600-100', 1000, facts)
  await write('host-11-0000000b-600-100', 2)
  await write('host-11-0000000d-600-100', 4, facts)
  await write(now, 1000, facts)
  const left = ['.host-11-0000000e-600-100.json.7.part', '.host-11-0000000f-600-100.json.8.part']
  for (const name of left) await writeFile(join(hostDir, 'rate', name), '{"scope":"ho')
  await utimes(join(hostDir, 'rate', left[0] ?? ''), 1, 1)
  let suppressed = 0
  const onSuppressed = (crashes: number): void => void (suppressed += crashes)
  await recordSuppressed({ hostDir, coreDir, nodeName: 'n', onSuppressed })
  expect(suppressed).toBe(996)
  expect((await readdir(join(hostDir, 'rate'))).toSorted()).toEqual([left[1], now, `${now}.json`])
  const [record = '', ...others] = await readdir(coreDir)
  expect(others).toEqual([])
  const { manifest } = await readBundle(join(coreDir, record))
  expect(manifest).toMatchObject({
    crash: { exe: '/bin/x', signal: 11 },
    core: { bytes: 0, reason: expect.stringMatching(/^996 more crashes of this workload/) },
  })
  await recordSuppressed({ hostDir, coreDir, nodeName: 'n', all: true, onSuppressed })
  expect(await readdir(join(hostDir, 'rate'))).toEqual([left[1]])
})

test('many bundles that are evicted at once are read one after the other', async () => {
  for (let i = 0; i < 300; i++) await bundle(`a${i}`, 'a', 400 - i)
  const before = openFiles()
  let most = 0
  const sampling = setInterval(() => (most = Math.max(most, openFiles())), 1)
  await open({ maxAgeMs: 1000 }).look()
  clearInterval(sampling)
  expect(dropped).toHaveLength(299)
  expect(most).toBeGreaterThan(0)
  expect(most - before).toBeLessThan(30)
})
