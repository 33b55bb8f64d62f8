import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { type BundleManifest, parseManifest } from '@core-dump-handler/bundle'
import schema from '@core-dump-handler/bundle/bundle-manifest.schema.json' with { type: 'json' }
import { expect } from 'vitest'
import { violations } from '@core-dump-handler/testing/composer/validate'
import { deployScript } from '../deploy/deploy-composer.ts'
import { openLog } from '../log/open-log.ts'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import {
  coreImage,
  feedAndKill,
  killed,
  startComposer,
} from '@core-dump-handler/testing/agent/killed-composer'
import { test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'
import { type Outcome, Salvager } from './salvage-bundles.ts'

const CORE = coreImage(6_000_000)
const LONG_AGO = new Date(Date.now() - 3_600_000)

async function prepared(node: ScratchNode): Promise<ScratchNode> {
  await mkdir(node.hostDir)
  await deployScript(process.execPath, node.hostDir)
  return node
}

/** One look at the node's directory, as the daemon takes it, but without the time of quiet. */
async function scanOnce(node: ScratchNode, ...composers: ChildProcess[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  // composers of other tests are none of this node
  const procRoot = await mkdtemp(join(node.dir, 'proc-'))
  for (const pid of ['self', ...composers.map((composer) => String(composer.pid))]) {
    await symlink(`/proc/${pid}`, join(procRoot, pid))
  }
  const salvager = new Salvager(node.coreDir, {
    log: await openLog({ level: 'silent', secrets: [] }),
    signal: new AbortController().signal,
    nodeName: 'node-1',
    watch: { procRoot, maxLifeMs: 600_000, quietMs: 0 },
    onProgress: async () => undefined,
    onSalvaged: (outcome) => outcomes.push(outcome),
  })
  await salvager.scan()
  return outcomes
}

/** A bundle opened by Info-ZIP and Python (7-Zip for zstd); core and manifest agree. */
function open(path: string, { zstd = false } = {}): { manifest: BundleManifest; core: Buffer } {
  if (zstd) execFileSync('7z', ['t', '-bd', path])
  else {
    execFileSync('unzip', ['-tq', path])
    execFileSync('python3', ['-c', PYTHON_TEST, path])
  }
  const extract = (name: string): Buffer =>
    execFileSync('7z', ['x', '-so', '-spd', path, name], { maxBuffer: 1 << 30, stdio: 'pipe' })
  const names = execFileSync('zipinfo', ['-1', path]).toString().trim().split('\n')
  const manifestName = names.at(-1) ?? ''
  expect(manifestName).toMatch(/-manifest\.json$/)
  const json: unknown = JSON.parse(extract(manifestName).toString())
  expect(violations(schema, json)).toEqual([])
  const manifest = parseManifest(json)
  if (manifest === undefined) throw new Error(`${manifestName} is no manifest`)
  const core = manifest.core.entry === undefined ? Buffer.alloc(0) : extract(manifest.core.entry)
  expect(core.length).toBe(manifest.core.bytes)
  return { manifest, core }
}

const PYTHON_TEST = `import sys, zipfile
bad = zipfile.ZipFile(sys.argv[1]).testzip()
sys.exit(f'bad entry {bad}' if bad else 0)`

/** The same numbers each time (Lehmer). */
function random(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => (state = (state * 48_271) % 0x7fffffff) % limit
}

test.for(['deflate', 'store', 'adaptive', 'zstd'])(
  'kill -9 of a composer at any point of a core, mode %s: a bundle with its beginning [composer-2]',
  { timeout: 120_000 },
  async (mode, { node }) => {
    await prepared(node)
    const below = random(mode.length)
    for (let n = 0; n < 7; n++) {
      const bytes = n === 0 ? 0 : n === 6 ? CORE.length : below(CORE.length)
      const composer = startComposer(node.hostDir, node.coreDir, n, { COMPRESSION_MODE: mode })
      await feedAndKill(composer, CORE, { bytes, waitMs: below(150) })
    }
    const parts = (await readdir(node.coreDir)).filter((name) => name.endsWith('.part'))
    expect(parts.length).toBeGreaterThan(2)
    // killed before its first entry, it told no one what had crashed
    const sizes = await Promise.all(
      parts.map(async (name) => (await stat(join(node.coreDir, name))).size),
    )
    const silent = parts.filter((_, index) => (sizes[index] ?? 0) < 300)
    const outcomes = await scanOnce(node)
    expect(outcomes).toHaveLength(parts.length)
    expect(outcomes).not.toContain('failed')

    const bundles = await readdir(node.coreDir)
    let saved = 0
    for (const name of bundles) {
      expect(name).toMatch(/\.zip$/)
      const { manifest, core } = open(join(node.coreDir, name), { zstd: mode === 'zstd' })
      expect(core.equals(CORE.subarray(0, core.length))).toBe(true)
      if (!parts.includes(`.${name}.part`)) continue
      expect(manifest.identity.status).toBe('unverified')
      if (!silent.includes(`.${name}.part`)) {
        const told = { comm: 'web', exe: '/usr/bin/web', signal: 11, signalName: 'SIGSEGV' }
        expect(manifest.crash).toMatchObject(told)
      }
      const died = manifest.problems.some(({ code }) => code === 'COMPOSER_DIED')
      // killed with its last entry written: what it tells itself is whole
      if (!died) expect([manifest.core.complete, core.length]).toEqual([true, CORE.length])
      if (core.length < CORE.length) {
        expect(manifest.core.complete).toBe(false)
        expect(manifest.core.reason).toContain('The composer died')
        expect(manifest.core.reasonCode).toBe('COMPOSER_DIED')
      }
      saved += core.length > 0 ? 1 : 0
    }
    expect(saved).toBeGreaterThan(0)
  },
)

test('the file of a running composer is not salvaged, however old; after a kill it is [left-over-1]', async ({
  node,
}) => {
  await prepared(node)
  const composer = startComposer(node.hostDir, node.coreDir, 7)
  composer.stdin.write(CORE.subarray(0, 3_000_000))
  const parts = async (): Promise<string[]> => node.list(node.coreDir)
  await expect.poll(parts).toEqual([expect.stringMatching(/^\..*-7-11\.zip\.part$/)])
  const [name = ''] = await parts()
  const path = join(node.coreDir, name)
  await expect.poll(async () => (await stat(path)).size).toBeGreaterThan(10_000)
  await utimes(path, LONG_AGO, LONG_AGO)
  const before = await readFile(path)
  for (let n = 0; n < 3; n++) expect(await scanOnce(node, composer)).toEqual([])
  expect((await readFile(path)).subarray(0, before.length).equals(before)).toBe(true)

  await killed(composer)
  expect(await scanOnce(node, composer)).toEqual(['closed'])
  const { core } = open(join(node.coreDir, name.slice(1, -'.part'.length)))
  expect(core.equals(CORE.subarray(0, core.length))).toBe(true)
})

test('files that running composers write are never salvaged [B17]', async ({ node }) => {
  await prepared(node)
  const composers = Array.from({ length: 4 }, (_, n) => {
    const composer = startComposer(node.hostDir, node.coreDir, n)
    composer.stdin.end(CORE)
    return composer
  })
  const exits = composers.map(async (composer) => once(composer, 'exit'))
  do expect(await scanOnce(node, ...composers)).toEqual([])
  while (composers.some(({ exitCode, signalCode }) => exitCode === null && signalCode === null))
  expect(await Promise.all(exits)).toEqual(exits.map(() => [0, null]))
  for (const name of await node.list(node.coreDir)) {
    expect(open(join(node.coreDir, name)).core.equals(CORE)).toBe(true)
  }
}, 60_000)

test('G7: an unusable file becomes a record with the reason before it is deleted [left-over-4]', async ({
  node,
}) => {
  // as a power-off leaves it: a name without content, or only zeros
  await writeFile(join(node.coreDir, '.empty.zip.part'), '')
  await writeFile(join(node.coreDir, '.zeros.zip.part'), Buffer.alloc(8192))
  await writeFile(join(node.coreDir, '.garbage.zip.part'), 'x'.repeat(5000))
  expect(await scanOnce(node)).toEqual(['replaced', 'replaced', 'replaced'])
  expect(await node.list(node.coreDir)).toEqual(['empty.zip', 'garbage.zip', 'zeros.zip'])
  for (const name of ['empty', 'zeros']) {
    const record = open(join(node.coreDir, `${name}.zip`)).manifest
    expect(record).toMatchObject({
      core: { bytes: 0, complete: false },
      problems: [{ code: 'COMPOSER_DIED' }],
    })
  }
  const { manifest } = open(join(node.coreDir, 'garbage.zip'))
  expect(manifest).toMatchObject({
    node: { hostname: 'node-1' },
    core: { bytes: 0, complete: false, reason: expect.stringContaining('5000 bytes') },
    problems: [{ code: 'COMPOSER_DIED' }],
  })
})

test('other files are not salvaged, and a taken name gets a suffix', async ({ node }) => {
  await prepared(node)
  const composer = startComposer(node.hostDir, node.coreDir, 1)
  await feedAndKill(composer, CORE, { bytes: 2_000_000, waitMs: 100 })
  const [part = ''] = await node.list(node.coreDir)
  const name = part.slice(1, -'.zip.part'.length)
  await writeFile(join(node.coreDir, `${name}.zip`), 'another bundle')
  await writeFile(join(node.dir, 'secret'), 'x')
  await symlink(join(node.dir, 'secret'), join(node.coreDir, '.link.zip.part'))
  execFileSync('mkfifo', [join(node.coreDir, '.fifo.zip.part')])
  await mkdir(join(node.coreDir, '.dir.zip.part'))
  await writeFile(join(node.coreDir, '.download.part'), 'not ours')

  expect(await scanOnce(node)).toEqual(['closed'])
  const others = ['.dir.zip.part', '.download.part', '.fifo.zip.part', '.link.zip.part']
  expect(await node.list(node.coreDir)).toEqual([...others, `${name}-2.zip`, `${name}.zip`])
  expect(await readFile(join(node.coreDir, `${name}.zip`), 'utf8')).toBe('another bundle')
  open(join(node.coreDir, `${name}-2.zip`))
})

test('the agent salvages unfinished files at its start, uploads and counts them', async ({
  node,
}) => {
  await prepared(node)
  const composer = startComposer(node.hostDir, node.coreDir, 3)
  await feedAndKill(composer, CORE, { bytes: 4_000_000, waitMs: 200 })
  await writeFile(join(node.coreDir, '.lost.zip.part'), '')
  for (const name of await node.list(node.coreDir)) {
    await utimes(join(node.coreDir, name), LONG_AGO, LONG_AGO)
  }
  // composers of other tests are none of this node
  const procRoot = join(node.dir, 'proc')
  await mkdir(procRoot)
  await symlink('/proc/self', join(procRoot, 'self'))
  const port = await freePort()
  const agent = await node.daemon({
    HEALTH_PORT: String(port),
    COMP_OVERRIDE_PROC_FOLDER_PATH: procRoot,
  })
  await expect.poll(async () => node.list(node.coreDir), { timeout: 20_000 }).toEqual([])
  const sent = await node.list(node.destination)
  expect(sent).toEqual([expect.stringMatching(/-3-11\.zip$/), 'lost.zip'])
  const { core } = open(join(node.destination, sent[0] ?? ''))
  expect(core.length).toBeGreaterThan(100_000)
  expect(core.equals(CORE.subarray(0, core.length))).toBe(true)

  expect(JSON.parse(await agent.line(/"outcome":"closed"/))).toMatchObject({
    level: 'warn',
    bundle: sent[0],
    coreBytes: core.length,
  })
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toContain('core_dump_salvages_total{outcome="closed"} 1')
  expect(metrics).toContain('core_dump_salvages_total{outcome="replaced"} 1')
  expect(metrics).toMatch(/core_dump_crashes_total\{outcome="incomplete",[^}]*\} 1/)
}, 40_000)

test('an agent killed at any point of a salvage loses nothing: the next agent finishes it [left-over-5]', async ({
  node,
}) => {
  await prepared(node)
  const core = coreImage(20_000_000)
  const composer = startComposer(node.hostDir, node.coreDir, 9)
  await feedAndKill(composer, core, { bytes: core.length - 1, waitMs: 500 })
  const [part = ''] = await node.list(node.coreDir)
  const script = `import { lstat } from 'node:fs/promises'
    const { salvagePart } = await import(${JSON.stringify(join(import.meta.dirname, 'salvage-part.ts'))})
    const [directory, file] = ${JSON.stringify([node.coreDir, part])}
    const stats = await lstat(directory + '/' + file, { bigint: true })
    console.log('ready')
    await salvagePart(directory, file, stats, { nodeName: 'n', signal: new AbortController().signal, onProgress: async () => {} })`
  const below = random(41)
  for (let n = 0; n < 6; n++) {
    const child = spawn(
      process.execPath,
      ['--conditions=@core-dump-handler/source', '--input-type=module', '-e', script],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const exit = once(child, 'exit')
    await Promise.race([once(child.stdout, 'data'), exit])
    setTimeout(() => child.kill('SIGKILL'), below(250))
    await exit
  }
  await scanOnce(node)
  const bundles = (await node.list(node.coreDir)).filter((name) => !name.startsWith('.salvage-'))
  expect(bundles).toEqual([part.slice(1, -'.part'.length)])
  const { core: saved } = open(join(node.coreDir, bundles[0] ?? ''))
  expect(saved.length).toBeGreaterThan(15_000_000)
  expect(saved.equals(core.subarray(0, saved.length))).toBe(true)
}, 60_000)

test('an agent that cannot see the processes of its node logs that, and uploads finished bundles', async ({
  node,
}) => {
  await writeFile(join(node.coreDir, '.left.zip.part'), 'PK')
  const agent = await node.daemon({ COMP_OVERRIDE_PROC_FOLDER_PATH: join(node.dir, 'no-proc') })
  await agent.line(/cannot look for unfinished bundles/)
  await writeFile(join(node.coreDir, 'done.zip'), 'done')
  await expect
    .poll(async () => node.list(node.destination), { timeout: 10_000 })
    .toEqual(['done.zip'])
  expect(await agent.kill('SIGTERM')).toBe(0)
})
