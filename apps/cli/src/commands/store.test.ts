import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeCrashBundle } from '@core-dump-handler/testing/bundle/crash-bundle'
import { type CdhRun, runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { runComposer } from '@core-dump-handler/testing/composer/run-composer'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { startVersitygw, type Versitygw } from '@core-dump-handler/testing/store/versitygw'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

/** Building the server, and the kernel's core pattern, may take a while. */
const START_MS = 600_000

const missing = missingTools('g++')

let directory: string
let core: string
let gateway: Versitygw

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-store-'))
  compile(directory, 'g++', ['-O1', '-pthread', '-o', 'crash', programSource('crash.cpp')])
  core = await crashCore(directory, [join(directory, 'crash'), 'virtual'])
  gateway = await startVersitygw(['--keep-alive'])
}, START_MS)

afterAll(async () => {
  await gateway?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const STORES = ['file', 's3'] as const
let count = 0

describe.skipIf(missing).for(STORES)(`a store in %s${missing ? `: ${missing}` : ''}`, (kind) => {
  /** Where its objects are files. */
  let folder: string
  let cdh: (...args: readonly string[]) => Promise<CdhRun>

  beforeEach(() => {
    const prefix = `crashes-${++count}`
    folder = join(kind === 's3' ? gateway.folder : directory, prefix)
    mkdirSync(folder)
    const url = kind === 's3' ? `s3://${gateway.bucket}/${prefix}` : `file:${folder}`
    const env = {
      CDH_STORE: url,
      AWS_ACCESS_KEY_ID: gateway.accessKey,
      AWS_SECRET_ACCESS_KEY: gateway.secret,
      AWS_ENDPOINT_URL: gateway.endpoint,
      XDG_CACHE_HOME: join(directory, 'cache'),
    }
    cdh = (...args) => runCdh(args, env)
  })

  const write = (options: Partial<Parameters<typeof writeCrashBundle>[1]> = {}) =>
    writeCrashBundle(folder, { core, exe: '/usr/bin/web', ...options })

  it('lists a bundle with all that its manifest has', async () => {
    const { uuid } = await write()
    const { code, stdout } = await cdh('list')
    expect(code).toBe(0)
    expect(stdout).toContain(uuid.slice(0, 8))
    expect(stdout).toContain('2026-11-30 12:38:26Z  shop/web-7d9f8b6c5d-x2k4p/web  web')
    expect(stdout).toMatch(
      /SIGSEGV +shop::priceOf\(shop::Order\*\) +[0-9a-f]{12} +\d+ kB +complete/,
    )
    expect(stdout).not.toContain('\u001b')
    const { bundles } = JSON.parse((await cdh('list', '--json')).stdout)
    expect(bundles).toMatchObject([{ id: uuid, namespace: 'shop', complete: true, signal: 11 }])
  })

  it('lists what the composer made, and filters it', async () => {
    const composed = await runComposer({ core: elfCore(65_536), args: ['--dir', folder] })
    expect(composed).toMatchObject({ code: 0 })
    await write()
    const ids = async (...filter: string[]): Promise<number> =>
      JSON.parse((await cdh('list', '--json', ...filter)).stdout).bundles.length
    expect(await ids()).toBe(2)
    expect(await ids('--unverified')).toBe(1)
    expect(await ids('--namespace', 'shop')).toBe(1)
    expect(await ids('--fingerprint', 'zz')).toBe(0)
    expect(await ids('--since', '2027-01-01')).toBe(0)
    expect((await cdh('verify', '--all')).code).toBe(0)
  })

  it('reads bundles of IBM core-dump-handler 9, which have no manifest', async () => {
    const info = {
      uuid: '',
      exe: 'web',
      signal: '6',
      timestamp: '1700000000',
      path: '!usr!bin!web',
    }
    const old = join(folder, 'old')
    writeFileSync(`${old}-dump-info.json`, JSON.stringify(info))
    execFileSync('zip', ['-jqm', `${old}.zip`, `${old}-dump-info.json`])
    expect(JSON.parse((await cdh('list', '--json')).stdout).bundles).toMatchObject([
      { id: 'old', program: 'web', signalName: 'SIGABRT', time: '2023-11-14T22:13:20.000Z' },
    ])
    expect(await cdh('verify', 'old')).toMatchObject({
      code: 4,
      stdout: expect.stringContaining('it has no manifest: whether the core is whole is not known'),
    })
  })

  it('shows identity, warnings, report and log, and nothing of a bundle moves the cursor', async () => {
    const evil = '\u001b]0;owned\u0007\u202e'
    await write({
      exe: `/bin/${evil}`,
      log: `${Array.from({ length: 30 }, (_, line) => `line ${line}`).join('\n')}\n${evil}`,
      identity: { status: 'unverified', reason: `no proof${evil}`, pod: `web${evil}` },
      problems: [{ code: 'CRI_UNAVAILABLE', message: `gone${evil}` }],
    })
    const { code, stdout } = await cdh('show', 'latest')
    expect(code).toBe(0)
    expect(stdout).toContain('CRI_UNAVAILABLE: gone')
    expect(stdout).toContain('unverified: no proof')
    expect(stdout).toMatch(/#0 +shop::priceOf\(shop::Order\*\)\+0x/)
    expect(stdout).toContain('line 29')
    expect(stdout).not.toContain('line 5\n')
    const lists = (await cdh('list')).stdout + (await cdh('groups')).stdout
    // oxlint-disable-next-line no-control-regex -- that none is there
    expect(stdout + lists).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    expect(lists).toContain('\\x1b]0;owned')
  })

  it('groups by fingerprint', async () => {
    await write()
    await write()
    const { groups } = JSON.parse((await cdh('groups', '--json')).stdout)
    expect(groups).toMatchObject([{ count: 2, workloads: ['shop/web'], nodes: ['node-1'] }])
  })

  it('fetches zip, core and minicore, byte for byte', async () => {
    const { uuid, file } = await write()
    const out = join(directory, `out-${count}`)
    expect((await cdh('fetch', uuid.slice(0, 6), '-o', out)).stdout).toBe(join(out, file))
    expect(readFileSync(join(out, file)).equals(readFileSync(join(folder, file)))).toBe(true)
    const both = await cdh('fetch', uuid, '--core', '--mini', '-o', out)
    expect(both.stderr).toBe('')
    const [mini = '', whole = ''] = both.stdout.split('\n')
    expect(readFileSync(whole).equals(readFileSync(core))).toBe(true)
    expect(readFileSync(mini).readUInt16LE(16)).toBe(4)
    // again: what is there is right
    expect((await cdh('fetch', uuid, '--core', '-o', out)).code).toBe(0)
    expect(readdirSync(out)).toHaveLength(3)
  })

  it('resumes a fetch, and begins again when the beginning is of another file', async () => {
    const { uuid, file } = await write()
    const out = join(directory, `resume-${count}`)
    mkdirSync(out)
    const stored = readFileSync(join(folder, file))
    writeFileSync(join(out, `${file}.part`), stored.subarray(0, 10_000))
    expect((await cdh('fetch', uuid, '-o', out)).code).toBe(0)
    expect(readFileSync(join(out, file)).equals(stored)).toBe(true)

    const part = join(out, `${file.replace(/zip$/, 'core')}.part`)
    writeFileSync(part, Buffer.alloc(500, 7))
    writeFileSync(join(out, `${file}.part`), Buffer.alloc(500, 7))
    expect((await cdh('fetch', uuid, '--core', '-o', out)).code).toBe(0)
    rmSync(join(out, file))
    expect((await cdh('fetch', uuid, '-o', out)).code).toBe(0)
    expect(readFileSync(join(out, file)).equals(stored)).toBe(true)
    expect(readdirSync(out)).toHaveLength(2)
  })

  it('never replaces another file', async () => {
    const { uuid, file } = await write()
    const out = join(directory, `taken-${count}`)
    mkdirSync(out)
    writeFileSync(join(out, file), 'mine')
    expect(await cdh('fetch', uuid, '-o', out)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('another file has that name'),
    })
    expect(readFileSync(join(out, file), 'utf8')).toBe('mine')
  })

  it('verifies: 0 intact, 3 damaged, 4 cut', async () => {
    const { uuid, file } = await write()
    expect(await cdh('verify', uuid)).toMatchObject({ code: 0 })
    const cut = await write({ complete: false })
    expect(await cdh('verify', cut.uuid)).toMatchObject({
      code: 4,
      stdout: expect.stringContaining('the core is incomplete: cut'),
    })
    expect((await cdh('verify', '--all')).code).toBe(4)

    const bytes = readFileSync(join(folder, file))
    bytes[3000] = (bytes[3000] ?? 0) ^ 0xff
    writeFileSync(join(folder, file), bytes)
    expect(await cdh('verify', uuid)).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/damaged .*\n +\S+\.core: /),
    })
    expect((await cdh('verify', '--all')).code).toBe(3)
  })

  it('names objects that are no bundles, and lists the others', async () => {
    await write()
    writeFileSync(join(folder, 'broken.zip'), 'PK no zip')
    const { code, stdout, stderr } = await cdh('list')
    expect(code).toBe(0)
    expect(stdout.split('\n')).toHaveLength(2)
    expect(stderr).toMatch(/1 object cannot be read as a bundle, such as: .*`broken\.zip`/)
    expect((await cdh('verify', 'broken')).code).toBe(3)
  })

  it('asks for more of an id that several bundles have', async () => {
    const { file } = await write()
    copyFileSync(join(folder, file), join(folder, `x-${file}`))
    copyFileSync(join(folder, file), join(folder, `xy-${file}`))
    expect(await cdh('show', 'x')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`x` is the beginning of 2 bundles'),
    })
    expect(await cdh('show', '0000')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No bundle `0000`'),
    })
  })
})

describe.skipIf(missing)('a hostile zip', () => {
  const HOSTILE = `import json, sys, zipfile
name, path = sys.argv[1:]
manifest = json.loads('''{"schema": "core-dump-handler/bundle@1", "uuid": "evil", "composer": "", "node": {"hostname": "", "kernel": ""},
 "crash": {"time": ""}, "identity": {"status": "verified"}, "timings": {"heldMs": 0, "lookupMs": 0, "totalMs": 0}, "problems": []}''')
manifest['core'] = {'bytes': 4, 'complete': True, 'entry': name}
with zipfile.ZipFile(path, 'w') as z:
    z.writestr(name, 'evil')
    z.writestr('x-manifest.json', json.dumps(manifest))
`

  it.for(['../evil.core', '/tmp/cdh-evil.core', 'a/../../evil.core', 'x/y.core', '..'])(
    'with an entry named %s writes nothing outside the directory',
    async (name) => {
      const place = join(directory, `hostile-${++count}`)
      const out = join(place, 'a/b/out')
      mkdirSync(out, { recursive: true })
      mkdirSync(join(place, 'store'))
      execFileSync('/usr/bin/python3', ['-c', HOSTILE, name, join(place, 'store/evil.zip')])
      const env = { CDH_STORE: `file:${join(place, 'store')}` }
      const fetched = await runCdh(['fetch', 'latest', '--core', '-o', out], env)
      await runCdh(['fetch', 'latest', '-o', out], env)
      // a name that leaves no directory is no fault: the file is named after the object
      expect(readdirSync(out).includes('evil.core')).toBe(fetched.code === 0)
      const written = readdirSync(place, { recursive: true }).map(String)
      const expected = ['a', 'a/b', 'a/b/out', 'store', 'store/evil.zip']
      expect(written.filter((path) => !/^a\/b\/out\/[^/]+$/.test(path)).toSorted()).toEqual(
        expected,
      )
      expect(readdirSync('/tmp')).not.toContain('cdh-evil.core')
    },
  )
})
