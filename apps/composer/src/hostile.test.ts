import { chmod, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { COMPOSER_SETTINGS } from '@core-dump-handler/capture/settings'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { runComposer, test } from '@core-dump-handler/testing/composer/run-composer'

const CORE = elfCore(50_000)

describe('a hostile process', () => {
  const NAMES: Record<string, Buffer> = {
    injection: Buffer.from('a","signal":"0'),
    newline: Buffer.from('a\nERROR - forged - line'),
    'cut inside a character': Buffer.from('caf\xc3', 'latin1'),
    'no UTF-8 at all': Buffer.from('\xff\xfe\x80', 'latin1'),
    'a path': Buffer.from('../../../../tmp/x'),
    'an escape sequence': Buffer.from('\u001b]0;x\u0007'),
    'a template': Buffer.from('{uuid}{nope}'),
    'a flag': Buffer.from('-d=/tmp'),
    'three hundred bytes': Buffer.alloc(300, 'x'),
    'right to left': Buffer.from('\u202egpj.exe'),
    empty: Buffer.alloc(0),
  }

  test.for(Object.keys(NAMES))(
    'named by %s causes one bundle and no other file [B22, B23]',
    async (kind, { dir }) => {
      const bytes = NAMES[kind] ?? Buffer.alloc(0)
      const args = ['e', 'h', 'E'].map((flag) => Buffer.concat([Buffer.from(`-${flag}=`), bytes]))
      const cores = join(dir, 'cores')
      const env = {
        COMPOSER_HOME: dir,
        CORE_DIR: cores,
        IGNORE_CRIO: 'true',
        CORE_EVENTS: 'true',
        LOG_LEVEL: 'trace',
      }
      const { code } = await runComposer({
        args: [...args, '-s=11', Buffer.concat([Buffer.from('-Z'), bytes])],
        env,
        core: CORE,
      })
      expect(code).toBe(0)
      const bundle = await onlyBundle(cores)
      expect((await readdir(dir)).toSorted()).toEqual([
        'composer.log',
        'cores',
        'events',
        'gate',
        'rate',
      ])
      expect(Buffer.byteLength(`${bundle.name}.zip`)).toBeLessThanOrEqual(255)
      expect(bundle.name).not.toMatch(/^\.|\.\.|[\p{C}/]/u)
      expect(bundle.entries).toEqual(['-dump-info.json', '.core', '-manifest.json'])
      const text = bytes.toString()
      expect(bundle.dumpInfo).toMatchObject({ exe: text, hostname: text, path: text, signal: '11' })
      expect(Object.keys(bundle.dumpInfo)).toHaveLength(9)
      if (text.includes('\uFFFD')) expect(bundle.manifest.crash.commHex).toBe(bytes.toString('hex'))
      const log = await readFile(join(dir, 'composer.log'), 'utf8')
      for (const line of log.trim().split('\n')) {
        expect(line).toMatch(/^(ERROR|WARN|INFO|DEBUG) - \d{4}-[\dT:.-]+Z - \P{C}*$/u)
      }
      expect(log).not.toMatch(/^ERROR - forged/m)
      const [event = ''] = await readdir(join(dir, 'events'))
      expect(JSON.parse(await readFile(join(dir, 'events', event), 'utf8'))).toMatchObject({
        exe_name: text,
      })
    },
  )

  test('whose name was split into several arguments has a bundle [B23]', async ({ dir }) => {
    const { code } = await runComposer({
      args: ['-e=Web', 'Content', '--wat', '-s=x', '-d', dir],
      core: CORE,
    })
    const { manifest } = await onlyBundle(dir)
    expect(code).toBe(0)
    expect(manifest.problems.map((problem) => problem.code)).toEqual([
      'UNKNOWN_ARGUMENT',
      'UNKNOWN_ARGUMENT',
      'BAD_ARGUMENT',
    ])
  })

  test('cannot make the log follow a symbolic link', async ({ dir }) => {
    await writeFile(join(dir, 'precious'), 'kept')
    await symlink(join(dir, 'precious'), join(dir, 'composer.log'))
    await runComposer({ env: { COMPOSER_HOME: dir, CORE_DIR: join(dir, 'cores') }, core: CORE })
    expect(await readFile(join(dir, 'precious'), 'utf8')).toBe('kept')
  })
})

const run = (dir: string) =>
  runComposer({ env: { COMPOSER_HOME: dir }, args: ['-d', join(dir, 'cores')], core: CORE })

describe('a hostile or broken .env', () => {
  test('with no valid setting causes a bundle that lists them all [B23]', async ({ dir }) => {
    const text = COMPOSER_SETTINGS.map(({ name }) => `${name}=\u0007{broken\n`).join('')
    await writeFile(join(dir, '.env'), text)
    expect(await run(dir)).toMatchObject({ code: 0 })
    const { manifest, name } = await onlyBundle(join(dir, 'cores'))
    expect(name).toBe(manifest.uuid)
    const messages = manifest.problems.map(({ message }) => message).join('\n')
    for (const { name: setting } of COMPOSER_SETTINGS) {
      if (setting === 'POD_SELECTOR_LABEL') continue
      expect(messages).toContain(setting === 'FILENAME_TEMPLATE' ? 'template' : setting)
    }
  })

  test('that is cut, with a template that has blanks, is read up to the cut [composer-23]', async ({
    dir,
  }) => {
    await writeFile(
      join(dir, '.env'),
      'FILENAME_TEMPLATE={exe_name} of {signal}\nLOG_LENGTH=5\nTIMEO',
    )
    await runComposer({
      env: { COMPOSER_HOME: dir },
      args: ['-d', join(dir, 'cores'), '-e=x', '-s=6'],
      core: CORE,
    })
    const { manifest, name } = await onlyBundle(join(dir, 'cores'))
    expect(name).toBe('x of 6')
    expect(manifest.problems).toMatchObject([
      { code: 'SETTINGS_MALFORMED', message: expect.stringContaining('Line 3') },
    ])
  })

  test('that is binary, or a directory, costs only the settings [composer-24]', async ({ dir }) => {
    const one = join(dir, 'one')
    const two = join(dir, 'two')
    await mkdir(one)
    await mkdir(join(two, '.env'), { recursive: true })
    await writeFile(
      join(one, '.env'),
      Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7) % 256)),
    )
    expect(await run(one)).toMatchObject({ code: 0 })
    expect(await run(two)).toMatchObject({ code: 0 })
    const { manifest } = await onlyBundle(join(two, 'cores'))
    expect(manifest.problems).toMatchObject([{ code: 'SETTINGS_UNREADABLE' }])
  })

  test('comes after the environment', async ({ dir }) => {
    await writeFile(join(dir, '.env'), `CORE_DIR=${dir}/file\nFILENAME_TEMPLATE=file\n`)
    await runComposer({ env: { COMPOSER_HOME: dir, CORE_DIR: `${dir}/env` }, core: CORE })
    expect((await onlyBundle(`${dir}/env`)).name).toBe('file')
  })

  test('in a home that does not exist costs only the log', async ({ dir }) => {
    await chmod(dir, 0o500)
    const out = join(dir, '../composer-out-' + process.pid)
    const { code } = await runComposer({
      env: { COMPOSER_HOME: join(dir, 'absent') },
      args: ['-d', out],
      core: CORE,
    })
    expect(code).toBe(0)
    const { rm } = await import('node:fs/promises')
    await rm(out, { recursive: true })
    await chmod(dir, 0o700)
  })
})
