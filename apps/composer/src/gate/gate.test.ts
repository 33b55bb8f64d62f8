import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { elfCore } from '../test-support/elf-core.ts'
import { readBundle } from '../test-support/read-bundle.ts'
import {
  MAIN,
  type Running,
  runComposer,
  startComposer,
  test,
} from '../test-support/run-composer.ts'
import { Admission } from './admission.ts'

const CORE = elfCore(500_000)
// more than a pipe takes: what is left over is held until somebody reads
const BEGINNING = CORE.subarray(0, 200_000)

function start(dir: string, env: Record<string, string> = {}): Running {
  const dirs = { COMPOSER_HOME: dir, CORE_DIR: join(dir, 'cores') }
  return startComposer({ env: { ...dirs, IGNORE_CRIO: 'true', CONCURRENT_DRAINS: '2', ...env } })
}

/** Whether somebody has read from it what a pipe cannot hold. */
async function isDrained({ stdin }: Running): Promise<boolean> {
  await sleep(0)
  return stdin.writableLength === 0
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await what()) return
    await sleep(25)
  }
  throw new Error('it did not come to pass')
}

const count = async (all: readonly Running[]): Promise<number> =>
  (await Promise.all(all.map(isDrained))).filter(Boolean).length

describe('many composers at once', () => {
  test('drain two at a time by CONCURRENT_DRAINS, the others wait, all make bundles [attack-8]', async ({
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

  test('go on when the one that lets them in is killed [storm-6]', async ({ dir }) => {
    const keeper = start(dir, { CONCURRENT_DRAINS: '1' })
    keeper.stdin.write(BEGINNING)
    await until(() => isDrained(keeper))
    const others = Array.from({ length: 4 }, () => start(dir, { CONCURRENT_DRAINS: '1' }))
    for (const { stdin } of others) stdin.end(CORE)
    await sleep(500)
    expect(await count(others)).toBe(0)
    keeper.kill('SIGKILL')
    for (const { ended } of others) expect((await ended).code).toBe(0)
    const bundles = (await readdir(join(dir, 'cores'))).filter((name) => name.endsWith('.zip'))
    expect(bundles).toHaveLength(4)
    expect(await readdir(join(dir, 'gate'))).toEqual([])
  })

  test('wait no longer than a quarter of TIMEOUT for one that never lets them in [attack-12]', async ({
    dir,
  }) => {
    await runComposer({
      env: { COMPOSER_HOME: dir, CORE_DIR: dir, IGNORE_CRIO: 'true' },
      core: CORE,
    })
    const deaf = createServer(() => {}).listen(join(dir, 'gate/door'))
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

describe('whatever is wrong with the gate', () => {
  test.for([
    ['a link to nothing', (door: string) => symlink('/nowhere', door)],
    ['a link to a door where somebody waits', (door: string) => symlink(`${door}-deaf`, door)],
    ['a file', (door: string) => writeFile(door, '')],
    ['a directory', (door: string) => mkdir(door)],
  ] as const)(
    'such as %s for its door, a composer goes on [storm-7]',
    async ([, make], { dir }) => {
      const door = join(dir, 'gate/door')
      await mkdir(join(dir, 'gate'))
      const deaf = createServer(() => {}).listen(`${door}-deaf`)
      await make(door)
      try {
        const running = start(dir, { TIMEOUT: '20' })
        running.stdin.end(CORE)
        expect((await running.ended).code).toBe(0)
      } finally {
        deaf.close()
      }
      const [name = ''] = await readdir(join(dir, 'cores'))
      const { core, problems } = (await readBundle(join(dir, 'cores', name))).manifest
      expect(core.complete).toBe(true)
      expect(problems.map(({ code }) => code)).toEqual(
        (await lstat(door).catch(() => undefined))?.isDirectory() ? ['GATE_FAILED'] : [],
      )
    },
  )

  test('a composer whose code cannot be loaded lets its process and the others go [storm-8]', async ({
    dir,
  }) => {
    const broken = join(dir, 'broken.cjs')
    const code = await readFile(MAIN, 'utf8')
    const mark = '//# sourceURL=cdc/with-a-turn.ts'
    expect(code).toContain(mark)
    await writeFile(broken, code.replace(mark, 'throw new Error("half a file")'))
    const running = startComposer({ env: { COMPOSER_HOME: dir }, main: broken })
    running.stdin.end(CORE)
    expect((await running.ended).code).toBe(1)
    expect(await readFile(join(dir, 'composer.log'), 'utf8')).toContain('half a file')
    expect(await readdir(join(dir, 'gate'))).toEqual([])
  })
})

describe('the order of turns', () => {
  test('is that of arrival; who has drained leaves its place to the next', () => {
    const turns: string[] = []
    const admission = new Admission({ drains: 2, stories: 1, backlog: 9 })
    const visits = ['a', 'b', 'c', 'd'].map((name) => admission.arrive(() => turns.push(name)))
    expect(turns).toEqual(['a', 'b'])
    const [a, b] = visits
    if (!a || !b) throw new Error('no visits')
    admission.drained(b)
    expect(turns).toEqual(['a', 'b', 'b', 'c'])
    admission.drained(a)
    expect(turns).toEqual(['a', 'b', 'b', 'c', 'd'])
    admission.leave(b)
    expect(turns).toEqual(['a', 'b', 'b', 'c', 'd', 'a'])
  })

  test('keeps the memory of those that have drained within bounds, but holds nobody for it', async () => {
    const turns: string[] = []
    const admission = new Admission({ drains: 1, stories: 1, backlog: 1 })
    const first = admission.arrive(() => turns.push('first'))
    admission.arrive(() => turns.push('second'))
    admission.drained(first)
    expect(turns).toEqual(['first', 'first'])
    await sleep(5100)
    admission.settle()
    expect(turns).toEqual(['first', 'first', 'second'])
  })
})
