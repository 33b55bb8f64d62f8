import { execFileSync, spawnSync } from 'node:child_process'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { CORE_REASON_CODES, type BundleManifest } from '@core-dump-handler/bundle'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { onlyBundle, readBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { MAIN, runComposer, test } from '@core-dump-handler/testing/composer/run-composer'
import { violations } from '@core-dump-handler/testing/composer/validate'

const CORE = elfCore(300_000)
const NO_BYTES = { zeroBytes: 0, storedBytes: 0, compressedBytes: 0 }

describe('composer, started by a person', () => {
  test('packs a core, prints the path, and asks no runtime', async ({ dir }) => {
    const { code, stdout, stderr } = await runComposer({ args: ['--dir', dir], core: CORE })
    const bundle = await onlyBundle(dir)
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${bundle.path}\n`, stderr: '' })
    expect(bundle.name).toMatch(/^[0-9a-f-]{36}-dump-\d{10}$/)
    expect(bundle.entries).toEqual(['-dump-info.json', '.core', '-manifest.json'])
    expect((await bundle.bytes('.core')).equals(CORE)).toBe(true)
    expect(bundle.manifest).toMatchObject({
      schema: 'core-dump-handler/bundle@1',
      identity: { status: 'unverified', reason: expect.stringContaining('neither') },
      core: { bytes: CORE.length, expectedBytes: CORE.length, complete: true },
      problems: [],
    })
  })

  test('makes the directory and the bundle for their owner only [composer-16]', async ({ dir }) => {
    const out = join(dir, 'a/b')
    const { code } = await runComposer({ args: ['-d', out], core: CORE })
    const bundle = await onlyBundle(out)
    expect(code).toBe(0)
    expect(((await stat(bundle.path)).mode & 0o777).toString(8)).toBe('600')
    expect(((await stat(out)).mode & 0o777).toString(8)).toBe('700')
  })

  test('writes into the working directory and reads no .env there', async ({ dir }) => {
    await writeFile(join(dir, '.env'), 'FILENAME_TEMPLATE=from-env\nCORE_DIR=/nowhere\n')
    await runComposer({ cwd: dir, core: CORE })
    expect((await onlyBundle(dir)).name).toMatch(/-dump-/)
  })

  test('writes a manifest that the published schema describes', async ({ dir }) => {
    const args = [
      '-d',
      dir,
      '-e=a',
      '-p=7',
      '-s=11',
      '-t=1700000000',
      '-P=1',
      '-I=1',
      '-M=2',
      '-u=0',
      '-g=0',
      '-c=0',
      '-h=x',
      '-Z',
    ]
    await runComposer({ args, env: { IGNORE_CRIO: 'true' }, core: CORE.subarray(0, 1000) })
    const { manifest } = await onlyBundle(dir)
    const url = new URL(
      import.meta.resolve('@core-dump-handler/bundle/bundle-manifest.schema.json'),
    )
    const schema: object = JSON.parse(await readFile(url, 'utf8'))
    expect(schema).toHaveProperty('properties.core.properties.reasonCode.enum', CORE_REASON_CODES)
    expect(violations(schema, manifest)).toEqual([])
    expect(violations(schema, { ...manifest, uuid: 'x', core: {} })).toEqual([
      '$.uuid: has another form',
      '$.core: lacks `bytes`',
      '$.core: lacks `complete`',
    ])
    expect(manifest.crash).toMatchObject({
      time: '2023-11-14T22:13:20.000Z',
      signal: 11,
      signalName: 'SIGSEGV',
      comm: 'a',
      hostPid: 1,
      pid: 7,
      dumpMode: 2,
    })
    expect(manifest.core).toMatchObject({
      complete: false,
      bytes: 1000,
      expectedBytes: CORE.length,
    })
  })

  test('reads a regular file on stdin', async ({ dir }) => {
    const file = join(dir, 'core')
    await writeFile(file, CORE)
    const command = `"$1" "$2" -d "$3" < "$4"`
    execFileSync('/bin/sh', ['-c', command, 'sh', process.execPath, MAIN, dir, file])
    expect((await (await onlyBundle(dir)).bytes('.core')).equals(CORE)).toBe(true)
  })

  test('keeps an input that is no ELF file and an empty one, with a warning', async ({ dir }) => {
    await runComposer({ args: ['-d', join(dir, 'text')], core: Buffer.from('not a core') })
    const text = await onlyBundle(join(dir, 'text'))
    expect(await text.text('.core')).toBe('not a core')
    expect(text.manifest.problems).toMatchObject([{ code: 'NOT_AN_ELF' }])
    await runComposer({ args: ['-d', join(dir, 'empty')], core: Buffer.alloc(0) })
    const empty = await onlyBundle(join(dir, 'empty'))
    expect(empty.manifest.problems).toEqual([])
    expect(empty.manifest.core).toMatchObject({
      bytes: 0,
      complete: false,
      reason: expect.any(String),
    })
  })

  test('exits with 1 when there is no core: `composer < /dev/null`', async ({ dir }) => {
    const { status } = spawnSync('/bin/sh', [
      '-c',
      '"$0" "$1" -d "$2" < /dev/null',
      process.execPath,
      MAIN,
      dir,
    ])
    expect(status).toBe(1)
    expect((await onlyBundle(dir)).manifest.core.reasonCode).toBe('EMPTY')
  })

  test('stores with -D and with COMPRESSION=false, and still shrinks zero pages', async ({
    dir,
  }) => {
    const size = async (name: string, args: string[], env: Record<string, string>) => {
      await runComposer({ args: ['-d', join(dir, name), ...args], env, core: CORE })
      const bundle = await onlyBundle(join(dir, name))
      expect((await bundle.bytes('.core')).equals(CORE)).toBe(true)
      return bundle.manifest.core.storedBytes ?? 0
    }
    const deflated = await size('deflate', [], {})
    const stored = await size('switch', ['-D'], {})
    expect(stored).toBeGreaterThan(deflated)
    expect(stored).toBeLessThan(CORE.length)
    expect(await size('setting', [], { COMPRESSION: 'FALSE' })).toBe(stored)
  })

  test.for([
    [{}, 'adaptive'],
    [{ COMPRESSION_ENGINE: 'isal' }, 'deflate'],
    [{ COMPRESSION_ENGINE: 'zlib' }, 'adaptive'],
    [{ HOLD_BUDGET_MS: '0' }, 'deflate'],
    [{ COMPRESSION_MODE: 'deflate' }, 'deflate'],
    [{ COMPRESSION_MODE: 'store' }, 'store'],
    [{ COMPRESSION_MODE: 'adaptive' }, 'adaptive'],
    [{ HOLD_BUDGET_MS: '50' }, 'adaptive'],
    [{ HOLD_BUDGET_MS: '50', COMPRESSION: 'false' }, 'store'],
    [{ COMPRESSION_MODE: 'zstd' }, 'zstd'],
  ] as const)(
    'packs as %o demands, and the manifest has the mode',
    async ([env, mode], { dir }) => {
      const { code, stdout } = await runComposer({ args: ['-d', dir], env, core: CORE })
      expect(code).toBe(0)
      // not every machine has a reader of zip method 93: only the manifest is read then
      const program = `import sys, zipfile, json
z = zipfile.ZipFile(sys.argv[1]); names = z.namelist()
assert names[1].endswith('.core')
if len(sys.argv) > 2: sys.stdout.buffer.write(z.read(names[1]))
else: print(z.read(names[-1]).decode())`
      const read = (...more: string[]): Buffer =>
        execFileSync('python3', ['-c', program, stdout.trim(), ...more], { maxBuffer: 1 << 26 })
      const { core }: BundleManifest = JSON.parse(read().toString())
      expect(core).toMatchObject({ mode, method: mode === 'zstd' ? 'zstd' : 'deflate' })
      const { zeroBytes, storedBytes, compressedBytes } = core.treated ?? NO_BYTES
      expect(zeroBytes + storedBytes + compressedBytes).toBe(CORE.length)
      if (mode !== 'zstd') expect(read('core').equals(CORE)).toBe(true)
    },
  )

  test('cuts a core at MAX_CORE_BYTES and marks it incomplete', async ({ dir }) => {
    const env = { MAX_CORE_BYTES: '100000' }
    const { code } = await runComposer({ args: ['-d', dir], env, core: CORE })
    const bundle = await onlyBundle(dir)
    expect(code).toBe(0)
    expect((await bundle.bytes('.core')).equals(CORE.subarray(0, 100_000))).toBe(true)
    expect(bundle.manifest.core).toMatchObject({
      bytes: 100_000,
      expectedBytes: CORE.length,
      complete: false,
      reason: expect.stringContaining('100000'),
    })
  })

  test('gives equal names a suffix, also when they are made at the same moment [composer-18]', async ({
    dir,
  }) => {
    const run = () =>
      runComposer({ args: ['-d', dir], env: { FILENAME_TEMPLATE: 'same' }, core: CORE })
    const ends = await Promise.all([run(), run(), run()])
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0])
    expect((await readdir(dir)).toSorted()).toEqual(['same-2.zip', 'same-3.zip', 'same.zip'])
    for (const file of await readdir(dir)) {
      const bundle = await readBundle(join(dir, file))
      expect(bundle.dumpInfo['dump_file']).toBe(`${bundle.name}.core`)
      expect(bundle.entries).toEqual(['-dump-info.json', '.core', '-manifest.json'])
    }
  })

  test('reports in one line why there is no bundle', async ({ dir }) => {
    const file = join(dir, 'file')
    await writeFile(file, '')
    const { code, stdout, stderr } = await runComposer({
      args: ['-d', join(file, 'x')],
      core: CORE,
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^composer: .*ENOTDIR.*\n$/)
  })

  test('reports a directory where not even root can write', async () => {
    // sysfs takes no new files, not even from root
    const { code, stderr } = await runComposer({ args: ['-d', '/sys/kernel'], core: CORE })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^composer: Could not make a bundle: Cannot create `\/sys\/kernel\/\..*\.part`/,
    )
  })
})
