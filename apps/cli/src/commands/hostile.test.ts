import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MadeBundle, writeBundle } from '@core-dump-handler/testing/bundle/write-bundle'
import { type CdhRun, runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { beforeEach, describe, expect, it } from 'vitest'

/** Title of the window, a screen that is cleared, a line of its own, text that runs to the left, C1, a name of `..`. */
const EVIL = '\u001b]0;owned\u0007\u001b[2J\r\nroot# \u202e\u009b31m../../../etc/\u2028'
const LONG = 'A'.repeat(4096)
const HUGE = 'B'.repeat(10_000_000)
// oxlint-disable-next-line no-control-regex -- that none is there
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]/

const manifest: Exclude<MadeBundle['manifest'], string | null> = {
  uuid: EVIL,
  node: { hostname: EVIL, kernel: EVIL },
  crash: { time: EVIL, signalName: EVIL, comm: EVIL, exe: `/bin/${EVIL}` },
  identity: {
    status: 'unverified',
    reason: EVIL,
    namespace: EVIL,
    pod: EVIL,
    container: EVIL,
    image: EVIL,
  },
  core: { entry: 'a.core', bytes: 4, complete: false, reason: EVIL },
  fingerprint: { id: EVIL, family: EVIL },
  topFrame: EVIL,
  problems: [{ code: 'EVIL', message: EVIL }],
}
const entries = {
  '.core': 'core',
  '-0.log': EVIL,
  '-report.txt': `${EVIL}_ZN${EVIL}`,
  '-mini.core': 'mini',
}

let directory: string
let out: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-hostile-'))
  out = join(directory, 'a/b/out')
  mkdirSync(out, { recursive: true })
  mkdirSync(join(directory, 'store'))
  return () => rmSync(directory, { recursive: true })
})

const cdh = (...args: readonly string[]): Promise<CdhRun> =>
  runCdh(args, {
    CDH_STORE: `file:${join(directory, 'store')}`,
    XDG_CACHE_HOME: join(directory, 'cache'),
  })

const write = (bundle: Partial<MadeBundle>): Promise<string> =>
  writeBundle(join(directory, 'store'), { name: 'a', ...bundle })

describe('a hostile bundle', () => {
  it.for([
    ['list'],
    ['list', '--json'],
    ['groups'],
    ['groups', '--json'],
    ['show', 'latest'],
    ['show', 'latest', '--json'],
    ['verify', '--all'],
    ['verify', 'a', '--json'],
    ['fetch', 'latest'],
    ['fetch', 'a', '--core', '--mini', '--json'],
    ['debug', 'a'],
  ])('moves no cursor in the output of %j, and chooses no path', async (args) => {
    await write({ manifest, entries })
    const { stdout, stderr } = await cdh(...args, ...(args[0] === 'fetch' ? ['-o', out] : []))
    expect(stdout + stderr).not.toBe('')
    expect(stdout + stderr).not.toMatch(RAW)
    if (args.includes('--json')) expect(() => JSON.parse(stdout)).not.toThrow()
    const written = readdirSync(directory, { recursive: true }).map(String)
    expect(
      written
        .filter(
          (path) =>
            !/^(store\/a\.zip|cache\/.*|a\/b\/out\/a(\.zip|\.core|-mini\.core))$/.test(path),
        )
        .toSorted(),
    ).toEqual(
      ['a', 'a/b', 'a/b/out', ...(args[0] === 'debug' ? ['cache'] : []), 'store'].toSorted(),
    )
  })

  it('with JSON of its own characters is given as it is', async () => {
    await write({ manifest, entries })
    const { bundles } = JSON.parse((await cdh('list', '--json')).stdout)
    expect(bundles).toMatchObject([{ id: EVIL, topFrame: EVIL, fingerprint: { id: EVIL } }])
  })

  it('with long texts leaves a table readable', async () => {
    const long = {
      ...manifest,
      uuid: 'x',
      topFrame: LONG,
      identity: { status: 'host', namespace: LONG, pod: LONG } as const,
    }
    await write({ manifest: { ...long, crash: { time: '2026-11-30T12:00:00Z', exe: `/${LONG}` } } })
    for (const command of ['list', 'groups']) {
      const { stdout } = await cdh(command)
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThan(1000)
    }
  })

  it.for<readonly [string, Partial<MadeBundle>]>([
    ['texts of 10 MB', { manifest: { topFrame: HUGE } }],
    ['another schema', { manifest: '{"schema": "core-dump-handler/bundle@99"}' }],
    ['an array', { manifest: '[[[]]]' }],
    ['null', { manifest: 'null' }],
    ['deep nesting', { manifest: '['.repeat(100_000) }],
    ['__proto__', { manifest: '{"__proto__": {"uuid": "x", "core": {}}, "constructor": 1}' }],
  ])('whose manifest is %s hides no other', async ([, bundle]) => {
    await write(bundle)
    await writeBundle(join(directory, 'store'), { name: 'good' })
    const { code, stdout } = await cdh('list', '--json')
    expect(code).toBe(0)
    const { bundles, unreadable } = JSON.parse(stdout)
    expect(bundles.map(({ id }: { id: string }) => id)).toContain('good')
    expect(bundles.length + unreadable.length).toBe(2)
  })

  it('whose dump-info is hostile, without a manifest, is shown', async () => {
    const info = { uuid: EVIL, exe: HUGE, timestamp: 'never', signal: '-1', __proto__: null }
    await write({
      manifest: null,
      entries: { '-dump-info.json': JSON.stringify(info).slice(0, 60_000) },
    })
    const { code, stdout, stderr } = await cdh('show', 'latest')
    expect(code).toBe(0)
    expect(stdout + stderr).not.toMatch(RAW)
  })

  it('whose report or log is damaged shows the rest', async () => {
    await write({
      entries: { '-report.txt': HUGE, '-report.json': '{', '-0.log': 'the last line' },
    })
    const text = await cdh('show', 'a')
    expect(text).toMatchObject({ code: 1, stdout: expect.stringContaining('the last line') })
    expect(text.stderr).toMatch(/-report\.txt: it has 10000000 bytes, more than/)
    const json = await cdh('show', 'a', '--json')
    expect(json).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('-report.json is no JSON'),
    })
    expect(JSON.parse(json.stdout)).toMatchObject({ summary: { id: 'a' }, log: ['the last line'] })
  })
})
