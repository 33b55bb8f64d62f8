import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { writeBundle } from '@core-dump-handler/testing/bundle/write-bundle'
import { type CdhRun, runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseArguments } from '../arguments/parse-arguments.ts'
import { Output } from '../output/output.ts'
import { list } from './list.ts'

const HOUR_MS = 3_600_000
const ago = (hours: number): string => new Date(Date.now() - hours * HOUR_MS).toISOString()

let directory: string
const cdh = (...args: readonly string[]): Promise<CdhRun> =>
  runCdh(args, { CDH_STORE: `file:${directory}` })

async function listHere(args: readonly string[]): Promise<string> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  await list.run({
    args: parseArguments(args, list.options),
    env: { CDH_STORE: `file:${directory}` },
    output: new Output(stdout, stderr),
  })
  stdout.end()
  return text(stdout)
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-list-'))
  const web = { signal: 11, signalName: 'SIGSEGV', exe: '/bin/web' }
  const pod = { status: 'verified', namespace: 'shop', pod: 'web-0', container: 'web' } as const
  await writeBundle(directory, {
    name: 'old',
    manifest: {
      crash: { ...web, time: ago(100) },
      identity: pod,
      fingerprint: { id: 'aa11', family: 'fa00' },
    },
  })
  await writeBundle(directory, {
    name: 'new',
    manifest: {
      crash: { ...web, time: ago(2) },
      identity: { ...pod, namespace: 'shop-test' },
      fingerprint: { id: 'aa22', family: 'fa00' },
    },
  })
  await writeBundle(directory, {
    name: 'guess',
    manifest: {
      crash: { ...web, time: ago(0.5) },
      identity: { status: 'unverified', reason: 'no pod' },
    },
  })
  await writeBundle(directory, { name: 'timeless', manifest: { crash: { time: 'yesterday' } } })
})

afterAll(() => rmSync(directory, { recursive: true }))

describe('cdh list', () => {
  it.for<readonly [readonly string[], readonly string[]]>([
    [[], ['timeless', 'old', 'new', 'guess']],
    [['--since', '1h'], ['guess']],
    [
      ['--since', '3h'],
      ['new', 'guess'],
    ],
    [
      ['--since', '7d'],
      ['old', 'new', 'guess'],
    ],
    [
      ['--since', ago(3)],
      ['new', 'guess'],
    ],
    [
      ['--since', ago(200).slice(0, 10)],
      ['old', 'new', 'guess'],
    ],
    [['--namespace', 'shop'], ['old']],
    [['-n', 'shop-test'], ['new']],
    [['--unverified'], ['guess']],
    [
      ['--fingerprint', 'aa'],
      ['old', 'new'],
    ],
    [['--fingerprint', 'aa2'], ['new']],
    [
      ['--fingerprint', 'fa00'],
      ['old', 'new'],
    ],
    [['--fingerprint', 'fa00', '--since', '1d', '-n', 'shop-test'], ['new']],
  ])('%j selects %j', async ([filter, ids]) => {
    // without a process of its own: there are many
    const { bundles } = JSON.parse(await listHere(['--json', ...filter]))
    expect(bundles.map(({ id }: { id: string }) => id)).toEqual(ids)
  })

  it('reads the filters of groups too', async () => {
    const { groups } = JSON.parse((await cdh('groups', '--json', '--fingerprint', 'aa2')).stdout)
    expect(groups).toMatchObject([{ fingerprint: 'aa22', count: 1, nodes: ['node-1'] }])
  })

  it('says that nothing matches, and that is no failure', async () => {
    expect(await cdh('list', '-n', 'none')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No bundle matches.',
    })
    expect(await cdh('groups', '-n', 'none')).toMatchObject({
      code: 0,
      stderr: 'No bundle matches.',
    })
  })
})

describe('a bundle by ID', () => {
  it('is found by the address that the Event on a pod has', async () => {
    const { code, stdout } = await runCdh(['show', `file://${directory}/new.zip`, '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout).summary).toMatchObject({ id: 'new', namespace: 'shop-test' })
  })

  it('is the one of exactly that name, also when it is damaged', async () => {
    writeFileSync(join(directory, 'ne.zip'), 'no zip')
    try {
      expect(await cdh('verify', 'ne')).toMatchObject({
        code: 3,
        stdout: expect.stringContaining('ne.zip'),
      })
      expect((await cdh('verify', 'new')).code).toBe(0)
      expect(await cdh('show', 'none')).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(
          /^cdh: No bundle `none` in `file:.*`; `cdh list` shows what there is$/,
        ),
      })
    } finally {
      rmSync(join(directory, 'ne.zip'))
    }
  })
})

describe('cdh verify --all', () => {
  it('reads the bundles behind a bad one, and ends with its code', async () => {
    writeFileSync(join(directory, 'bad.zip'), 'no zip')
    try {
      const { code, stdout } = await cdh('verify', '--all', '--json')
      expect(code).toBe(3)
      const states = JSON.parse(stdout).map(({ key, state }: Record<string, string>) => [
        key,
        state,
      ])
      expect(Object.fromEntries(states)).toEqual({
        'bad.zip': 'damaged',
        'guess.zip': 'intact',
        'new.zip': 'intact',
        'old.zip': 'intact',
        'timeless.zip': 'intact',
      })
      const lines = await cdh('verify', '--all')
      expect(lines).toMatchObject({ code: 3, stderr: '' })
      expect(lines.stdout.match(/^(intact|damaged) /gm)).toHaveLength(5)
    } finally {
      rmSync(join(directory, 'bad.zip'))
    }
  })
})

describe('--json', () => {
  it.for([
    ['list', 'file:/nonexistent'],
    ['show', 'none'],
    ['fetch', 'none'],
    ['verify', '--all', 'file:/nonexistent'],
    ['debug', 'none'],
    ['report', '/nonexistent'],
  ])('of a command that fails prints nothing to standard output: %j', async (args) => {
    expect(await cdh(...args, '--json')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^cdh: \S.*; \S/),
    })
  })
})
