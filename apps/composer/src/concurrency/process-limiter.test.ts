import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Load, Scheduler } from '@core-dump-handler/capture'
import type { BundleManifest } from '@core-dump-handler/bundle'
import { describe, expect } from 'vitest'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { readBundle } from '@core-dump-handler/testing/composer/read-bundle'
import {
  MAIN,
  type Running,
  runComposer,
  startComposer,
  test,
} from '@core-dump-handler/testing/composer/run-composer'
import {
  formatReport,
  Leadership,
  listenAs,
  loadOf,
  removeStale,
  socketPath,
} from './leadership.ts'

const CORE = elfCore(500_000)
// more than a pipe takes: the rest is held until the composer reads
const BEGINNING = CORE.subarray(0, 200_000)

function start(dir: string, env: Record<string, string> = {}, args: string[] = []): Running {
  const dirs = { COMPOSER_HOME: dir, CORE_DIR: join(dir, 'cores') }
  const settings = { ...dirs, IGNORE_CRIO: 'true', CONCURRENT_DRAINS: '2', ...env }
  return startComposer({ env: settings, args })
}

/** Whether the composer has read what a pipe cannot hold. */
async function isDrained({ stdin }: Running): Promise<boolean> {
  await sleep(0)
  return stdin.writableLength === 0
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await what()) return
    await sleep(25)
  }
  throw new Error('not reached within 10 s')
}

async function onlyManifest(cores: string): Promise<BundleManifest> {
  const [name = ''] = await readdir(cores)
  return (await readBundle(join(cores, name))).manifest
}

const count = async (all: readonly Running[]): Promise<number> =>
  (await Promise.all(all.map(isDrained))).filter(Boolean).length

describe('many composers at once', () => {
  test('drain two at a time by CONCURRENT_DRAINS, the others wait, all write bundles [attack-8]', async ({
    dir,
  }) => {
    const all = Array.from({ length: 8 }, () => start(dir))
    for (const { stdin } of all) stdin.write(BEGINNING)
    await until(async () => (await count(all)) === 2)
    await sleep(500)
    expect(await count(all)).toBe(2)
    for (const { stdin } of all) stdin.end(CORE.subarray(BEGINNING.length))
    for (const { ended } of all) expect((await ended).code).toBe(0)
    const bundles = await readdir(join(dir, 'cores'))
    for (const name of bundles) {
      const { manifest } = await readBundle(join(dir, 'cores', name))
      expect([manifest.core.complete, manifest.problems]).toEqual([true, []])
    }
    expect(bundles).toHaveLength(8)
    expect(await readdir(join(dir, 'gate'))).toEqual([])
  })

  test('elect another leader when theirs is killed [storm-6]', async ({ dir }) => {
    const leader = start(dir, { CONCURRENT_DRAINS: '1' })
    leader.stdin.write(BEGINNING)
    await until(() => isDrained(leader))
    const others = Array.from({ length: 4 }, () => start(dir, { CONCURRENT_DRAINS: '1' }))
    for (const { stdin } of others) stdin.end(CORE)
    await sleep(500)
    expect(await count(others)).toBe(0)
    leader.kill('SIGKILL')
    for (const { ended } of others) expect((await ended).code).toBe(0)
    const bundles = (await readdir(join(dir, 'cores'))).filter((name) => name.endsWith('.zip'))
    expect(bundles).toHaveLength(4)
    expect(await readdir(join(dir, 'gate'))).toEqual([])
  })

  test('wait no longer than a quarter of TIMEOUT for a leader that never answers [attack-12, storm-7]', async ({
    dir,
  }) => {
    await runComposer({
      env: { COMPOSER_HOME: dir, CORE_DIR: dir, IGNORE_CRIO: 'true' },
      core: CORE,
    })
    const deaf = createServer(() => {}).listen(join(dir, 'gate/leader-1'))
    try {
      const running = start(dir, { TIMEOUT: '4' })
      running.stdin.end(CORE)
      expect((await running.ended).code).toBe(0)
    } finally {
      deaf.close()
    }
    const [name = ''] = await readdir(join(dir, 'cores'))
    const { core, problems } = (await readBundle(join(dir, 'cores', name))).manifest
    expect(core.complete).toBe(true)
    expect(problems).toMatchObject([{ code: 'GATE_TIMEOUT' }])
  })
})

describe('a leader that cannot answer', () => {
  test.for([
    ['a link to nothing', (name: string) => symlink('/nowhere', name)],
    ['a link to a socket that never answers', (name: string) => symlink(`${name}-deaf`, name)],
    ['a file', (name: string) => writeFile(name, '')],
    ['a directory', (name: string) => mkdir(name)],
  ] as const)('%s: the composer leads itself [storm-7]', async ([, make], { dir }) => {
    const name = join(dir, 'gate/leader-1')
    await mkdir(join(dir, 'gate'))
    const deaf = createServer(() => {}).listen(`${name}-deaf`)
    await make(name)
    try {
      const running = start(dir, { TIMEOUT: '20' })
      running.stdin.end(CORE)
      expect((await running.ended).code).toBe(0)
    } finally {
      deaf.close()
    }
    const { core, problems } = await onlyManifest(join(dir, 'cores'))
    expect([core.complete, problems]).toEqual([true, []])
  })

  test('a file in place of the directory: the composer goes on with a warning', async ({ dir }) => {
    await writeFile(join(dir, 'gate'), '')
    const running = start(dir, { TIMEOUT: '20' })
    running.stdin.end(CORE)
    expect((await running.ended).code).toBe(0)
    const { core, problems } = await onlyManifest(join(dir, 'cores'))
    expect([core.complete, problems.map(({ code }) => code)]).toEqual([true, ['GATE_FAILED']])
  })

  test('a composer whose code cannot be loaded releases its process and its slot [storm-8]', async ({
    dir,
  }) => {
    const broken = join(dir, 'broken.cjs')
    const code = await readFile(MAIN, 'utf8')
    const mark = '//# sourceURL=cdc/capture-steps.ts'
    expect(code).toContain(mark)
    await writeFile(broken, code.replace(mark, 'throw new Error("half a file")'))
    const running = startComposer({ env: { COMPOSER_HOME: dir }, main: broken })
    running.stdin.end(CORE)
    expect((await running.ended).code).toBe(1)
    expect(await readFile(join(dir, 'composer.log'), 'utf8')).toContain('half a file')
    expect(await readdir(join(dir, 'gate'))).toEqual([])
  })
})

describe('crashes of several workloads', () => {
  test('C3: a small crash is not held by slow cores of another workload', async ({ dir }) => {
    const env = { CONCURRENT_DRAINS: '2', TIMEOUT: '60' }
    const slow = Array.from({ length: 6 }, () => start(dir, env, ['-E=!bin!slow']))
    for (const { stdin } of slow) stdin.write(BEGINNING)
    await until(async () => (await count(slow)) >= 2)
    const other = start(dir, env, ['-E=!bin!other'])
    const startedMs = performance.now()
    other.stdin.end(CORE)
    expect((await other.ended).code).toBe(0)
    // a drain that takes more than 2 s counts no longer
    expect(performance.now() - startedMs).toBeLessThan(5000)
    for (const { stdin } of slow) stdin.end()
    for (const { ended } of slow) expect((await ended).code).toBe(0)
  })

  test('C9: a leader that is done ends at once; its followers elect another', async ({ dir }) => {
    const leader = start(dir, { TIMEOUT: '4' })
    leader.stdin.write(BEGINNING)
    await until(() => isDrained(leader))
    const follower = start(dir)
    follower.stdin.write(BEGINNING)
    await until(() => isDrained(follower))
    leader.stdin.end(CORE.subarray(BEGINNING.length))
    expect((await leader.ended).code).toBe(0)
    expect(await readFile(join(dir, 'composer.log'), 'utf8')).not.toContain('Timeout')
    await until(async () => (await readdir(join(dir, 'gate'))).length === 1)
    follower.stdin.end(CORE.subarray(BEGINNING.length))
    expect((await follower.ended).code).toBe(0)
    expect(await readdir(join(dir, 'gate'))).toEqual([])
  })
})

describe('Leadership', () => {
  test('passes the load on to a follower with its turn', async ({ dir }) => {
    const server = await listenAs(dir, 1)
    if (server === undefined) throw new Error('the name is taken')
    const leadership = new Leadership(server, socketPath(dir, 1), new Scheduler(1))
    const turns: [number, Load][] = []
    const followers: Socket[] = []
    for (let n = 0; n < 6; n++) {
      const socket = createConnection(socketPath(dir, 1))
      socket.on('data', (bytes) => turns.push([n, loadOf(bytes.toString())]))
      socket.write(formatReport({ stage: 'drained', arrivedMs: n, scope: 'a', onTurn: () => {} }))
      followers.push(socket)
      await until(async () => leadership.followers === n + 1)
    }
    for (const [n, socket] of followers.entries()) {
      await until(async () => turns.length === n + 1)
      socket.destroy()
    }
    expect(turns.map(([n]) => n)).toEqual([0, 1, 2, 3, 4, 5])
    expect(turns.map(([, load]) => load).slice(1)).toEqual(['storm', 'high', 'high', 'high', 'low'])
    leadership.close()
  })

  test('C13: closing twice does not remove the socket of the next leader', async ({ dir }) => {
    const lead = async (): Promise<Leadership> => {
      const server = await listenAs(dir, 1)
      if (server === undefined) throw new Error('the name is taken')
      return new Leadership(server, socketPath(dir, 1), new Scheduler(1))
    }
    const first = await lead()
    first.close()
    const second = await lead()
    first.close()
    await sleep(50)
    const socket = createConnection(socketPath(dir, 1))
    await once(socket, 'connect')
    socket.destroy()
    second.close()
    await sleep(50)
    expect(await readdir(dir)).toEqual([])
  })
  test('C13: only one of several composers gets a name, and what dead ones left is removed', async ({
    dir,
  }) => {
    const server = await listenAs(dir, 3)
    expect(await listenAs(dir, 3)).toBeUndefined()
    await writeFile(join(dir, 'leader-2'), '')
    await writeFile(join(dir, '.leader-999999999'), '')
    await writeFile(join(dir, `.leader-${process.pid}`), '')
    removeStale(dir, 3)
    expect((await readdir(dir)).toSorted()).toEqual([`.leader-${process.pid}`, 'leader-3'])
    server?.close()
  })
})
