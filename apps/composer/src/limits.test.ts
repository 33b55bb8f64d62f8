import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { describe, expect } from 'vitest'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import {
  type ReadBundle,
  onlyBundle,
  readBundle,
} from '@core-dump-handler/testing/composer/read-bundle'
import { MAIN, runComposer, test } from '@core-dump-handler/testing/composer/run-composer'

const CORE = elfCore(3_000_000)
const bundlesOf = async (dir: string): Promise<string[]> =>
  (await readdir(dir)).filter((name) => name.endsWith('.zip')).map((name) => join(dir, name))

describe('a core over MAX_CORE_BYTES', () => {
  const env = { MAX_CORE_BYTES: '1000000' }

  test('is cut, and the manifest has its whole size [storm-5]', async ({ dir }) => {
    const { code } = await runComposer({ env: { ...env, CORE_DIR: dir }, core: CORE })
    const bundle = await onlyBundle(dir)
    expect(code).toBe(0)
    expect(bundle.manifest.core).toMatchObject({
      bytes: 1_000_000,
      expectedBytes: 3_000_000,
      complete: false,
    })
    expect(bundle.manifest.problems).toMatchObject([{ code: 'CORE_CUT' }])
    expect((await bundle.bytes('.core')).equals(CORE.subarray(0, 1_000_000))).toBe(true)
  })

  test('is rejected by setting, as soon as its ELF headers are read [storm-5]', async ({ dir }) => {
    const { code } = await runComposer({
      env: { ...env, CORE_DIR: dir, OVERSIZED_CORE: 'refuse' },
      core: CORE,
    })
    const { entries, manifest } = await onlyBundle(dir)
    expect(code).toBe(0)
    expect(entries).toEqual(['-dump-info.json', '-manifest.json'])
    expect(manifest.core).toMatchObject({ bytes: 0, complete: false })
    expect(manifest.core.reason).toBe(
      'The core has 3000000 bytes, MAX_CORE_BYTES is 1000000 and OVERSIZED_CORE is `refuse`',
    )
    expect(manifest.problems).toMatchObject([{ code: 'CORE_OVERSIZED' }])
  })

  test('without ELF headers is cut, even where OVERSIZED_CORE is `refuse`', async ({ dir }) => {
    await runComposer({
      env: { ...env, CORE_DIR: dir, OVERSIZED_CORE: 'refuse' },
      core: Buffer.alloc(2_000_000, 'no elf'),
    })
    expect((await onlyBundle(dir)).manifest.core).toMatchObject({ bytes: 1_000_000 })
  })
})

const crash = async (dir: string, args: string[] = [], env = {}) =>
  runComposer({
    args: ['-s=11', '-E=!bin!x', ...args],
    env: {
      COMPOSER_HOME: dir,
      CORE_DIR: join(dir, 'cores'),
      RATE_CRASHES: '2',
      RATE_WINDOW_SECONDS: '86400',
      ...env,
    },
    core: CORE,
  })

describe('RATE_CRASHES', () => {
  test('takes so many cores, records the next crash, counts the rest [attack-8, B29]', async ({
    dir,
  }) => {
    for (let i = 0; i < 5; i++) expect((await crash(dir)).code).toBe(0)
    const bundles = await Promise.all((await bundlesOf(join(dir, 'cores'))).map(readBundle))
    const bytes = bundles.map(({ manifest }) => manifest.core.bytes).toSorted((a, b) => a - b)
    expect(bytes).toEqual([0, CORE.length, CORE.length])
    const record = bundles.find(({ manifest }) => manifest.core.bytes === 0)
    expect(record?.manifest.problems).toMatchObject([{ code: 'CORE_SUPPRESSED' }])
    expect(record?.manifest.core.reasonCode).toBe('CORE_SUPPRESSED')
    expect(record?.manifest.core.reason).toMatch(/^Crash 3 of this workload within 86400 s/)

    const [counter = '', facts = ''] = (await readdir(join(dir, 'rate'))).toSorted()
    expect(counter).toMatch(/^host-11-[0-9a-f]{8}-86400-\d+$/)
    expect(await readFile(join(dir, 'rate', counter), 'utf8')).toHaveLength(5)
    expect(JSON.parse(await readFile(join(dir, 'rate', facts), 'utf8'))).toMatchObject({
      scope: 'host',
      exe: '/bin/x',
      signalName: 'SIGSEGV',
      limit: 2,
    })
    expect(await readFile(join(dir, 'composer.log'), 'utf8')).toMatch(/Crash 5 of this workload/)
  })

  test('counts each workload and window separately', async ({ dir }) => {
    for (let i = 0; i < 2; i++) await crash(dir)
    await crash(dir, ['-E=!bin!y'])
    await crash(dir, ['-s=6'])
    await crash(dir, [], { RATE_WINDOW_SECONDS: '1' })
    const bundles = await Promise.all((await bundlesOf(join(dir, 'cores'))).map(readBundle))
    expect(bundles.map(({ manifest }) => manifest.core.complete)).toEqual(Array(5).fill(true))
  })

  test('of 0 takes all cores, and a crash that cannot be counted is taken', async ({ dir }) => {
    for (let i = 0; i < 3; i++) await crash(dir, [], { RATE_CRASHES: '0' })
    const dirs = { COMPOSER_HOME: '/proc/self', CORE_DIR: join(dir, 'cores') }
    await crash(dir, [], dirs)
    const bundles = await Promise.all((await bundlesOf(join(dir, 'cores'))).map(readBundle))
    expect(bundles.map(({ manifest }) => manifest.core.complete)).toEqual(Array(4).fill(true))
    const codes = bundles.flatMap(({ manifest }) => manifest.problems.map(({ code }) => code))
    expect(codes).toContain('RATE_UNKNOWN')
  })
})

describe('MIN_FREE_BYTES', () => {
  test('cuts a core that would go below it, in a valid bundle [B29]', async ({ dir }) => {
    // a file system of its own, in a mount namespace of its own
    const bundle = await onSmallDisk(dir, elfCore(40_000_000))
    const { core, problems } = bundle.manifest
    expect(core.complete).toBe(false)
    expect(core.bytes).toBeGreaterThan(0)
    expect(core.bytes).toBeLessThan(40_000_000)
    expect(core.reasonCode).toBe('CORE_CUT')
    expect(core.reason).toMatch(/came down to \d+ bytes free/)
    expect(problems).toMatchObject([{ code: 'CORE_CUT' }])
  })
})

describe('a disk that is full', () => {
  test('before, within or right after the core has room for the manifest [composer-12]', async ({
    dir,
  }) => {
    const file = join(dir, 'core')
    const taken: number[] = []
    // 245 pages are 1,003,520 bytes: the core takes the last of them up to its last bytes, or not quite
    for (const [index, bytes] of [...steps(1_002_300, 1_003_500, 200), 900_000].entries()) {
      const out = join(dir, `out-${index}`)
      await mkdir(out)
      const whole = randomBytes(bytes)
      await writeFile(file, whole)
      const bundle = await onDiskOf(245, file, out)
      expect(bundle.entries, `${bytes} bytes`).toEqual([
        '-dump-info.json',
        '.core',
        '-manifest.json',
      ])
      const { core, problems } = bundle.manifest
      const kept = await bundle.bytes('.core')
      expect(kept.equals(whole.subarray(0, core.bytes))).toBe(true)
      expect([kept.length, core.complete]).toEqual([core.bytes, core.bytes === bytes])
      const codes = problems.map(({ code }) => code)
      expect(codes).toEqual(core.complete ? ['NOT_AN_ELF'] : ['DISK_FULL', 'NOT_AN_ELF'])
      taken.push(core.bytes)
    }
    expect(taken.at(-2)).toBeLessThan(900_000)
    expect(taken.at(-1)).toBe(900_000)
  })

  test('long before the end of the core keeps its beginning, on disks of 10 to 1000 pages [composer-12]', async ({
    dir,
  }) => {
    const file = join(dir, 'core')
    const whole = elfCore(8_000_000)
    randomBytes(whole.length - 4096).copy(whole, 4096)
    await writeFile(file, whole)
    const kept: number[] = []
    for (const pages of [10, 40, 100, 300, 1000]) {
      const out = join(dir, `out-${pages}`)
      await mkdir(out)
      const bundle = await onDiskOf(pages, file, out)
      const { core, problems } = bundle.manifest
      const reason: unknown = expect.stringContaining('ENOSPC')
      const code = core.bytes === 0 ? 'CORE_NOT_WRITTEN' : 'DISK_FULL'
      expect(core).toMatchObject({ complete: false, reason, reasonCode: code })
      expect(problems).toMatchObject([{ code }])
      kept.push(core.bytes)
      if (core.bytes === 0) continue
      expect(core.expectedBytes).toBe(whole.length)
      const bytes = await bundle.bytes('.core')
      expect(bytes.equals(whole.subarray(0, core.bytes))).toBe(true)
    }
    expect(kept[0]).toBe(0)
    expect(kept[2]).toBeGreaterThan(100_000)
    expect(kept[4]).toBeGreaterThan(3_000_000)
  })
})

describe('adaptive compression', () => {
  // with ISA-L a busy machine may compress all of it in time
  const env = { COMPRESSION_MODE: 'adaptive', HOLD_BUDGET_MS: '0', COMPRESSION_ENGINE: 'zlib' }

  test('compresses all of a core that has no room uncompressed [composer-28]', async ({ dir }) => {
    const file = join(dir, 'core')
    const whole = elfCore(24_000_000)
    // nothing zero: text, which shrinks
    whole.fill('level=info msg="a line of a log" ', 4096)
    await writeFile(file, whole)
    const kept = async (pages: number): Promise<ReadBundle['manifest']['core']> => {
      const out = join(dir, `out-${pages}`)
      await mkdir(out)
      const bundle = await onDiskOf(pages, file, out, env)
      expect((await bundle.bytes('.core')).equals(whole)).toBe(true)
      return bundle.manifest.core
    }
    // on a small disk the end of the core has room uncompressed as late as can be
    const [tight, ample] = [await kept(300), await kept(20_000)]
    expect(tight).toMatchObject({ complete: true, mode: 'adaptive', holdBudgetMs: 0 })
    expect(tight.treated?.storedBytes).toBe(0)
    expect(ample.treated?.storedBytes).toBeGreaterThan(0)
  })
})

function steps(from: number, to: number, by: number): number[] {
  return Array.from({ length: (to - from) / by + 1 }, (_, index) => from + index * by)
}

/** The bundle of a composer on a disk of so many pages. */
async function onDiskOf(
  pages: number,
  core: string,
  out: string,
  more: Readonly<Record<string, string>> = {},
): Promise<ReadBundle> {
  const disk = `${out}-disk`
  await mkdir(disk)
  const script = `mount -t tmpfs -o size=${pages * 4096} none "$1" && { "$4" "$5" < "$2"; cp "$1"/*.zip "$3"; }`
  const args = ['-m', 'sh', '-c', script, 'sh', disk, core, out, process.execPath, MAIN]
  const env = { PATH: process.env['PATH'], CORE_DIR: disk, MIN_FREE_BYTES: '0', ...more }
  await promisify(execFile)('unshare', args, { env })
  return onlyBundle(out)
}

/** A composer on a disk of 24 MiB of which 8 are to stay free. */
async function onSmallDisk(dir: string, core: Buffer): Promise<ReadBundle> {
  const [file, out, disk] = [join(dir, 'core'), join(dir, 'out'), join(dir, 'disk')]
  // nothing that compresses, so that it takes what it has
  for (let at = 4096; at < core.length; at += 4) core.writeInt32LE((at * 2654435761) | 0, at)
  await writeFile(file, core)
  await mkdir(out)
  await mkdir(disk)
  // slowly, as a core of gigabytes would come
  const feed =
    'for i in $(seq 0 39); do dd if="$2" bs=1000000 skip=$i count=1 status=none; sleep 0.02; done'
  const script = `mount -t tmpfs -o size=24m none "$1" && { ${feed}; } | "$4" "$5"; code=$?; cp "$1"/*.zip "$3"; exit $code`
  const args = ['-m', 'sh', '-c', script, 'sh', disk, file, out, process.execPath, MAIN]
  const env = {
    PATH: process.env['PATH'],
    CORE_DIR: disk,
    MIN_FREE_BYTES: String(8 << 20),
    COMPRESSION: 'false',
  }
  await promisify(execFile)('unshare', args, { env })
  return onlyBundle(out)
}
