import { spawnSync } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { MAIN, runComposer, test } from '@core-dump-handler/testing/composer/run-composer'

describe('composer, without a core', () => {
  test('prints --version and --help', async () => {
    const version = await runComposer({ args: ['--version'], core: Buffer.alloc(0) })
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    const help = await runComposer({ args: ['--help'], core: Buffer.alloc(0) })
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('composer --dir out < core')
    expect(Math.max(...help.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  test('prints its usage when stdin is a terminal', () => {
    const command = `${process.execPath} ${MAIN}`
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stdout).toMatch(/^Usage: composer [^]*stdin is a terminal/)
  })

  test('tests itself, and reports what would fail', async ({ dir }) => {
    const good = await runComposer({
      args: ['--self-test'],
      env: { COMPOSER_HOME: dir, CORE_DIR: dir },
      core: Buffer.alloc(0),
    })
    expect(good.stdout.split('\n').map((line) => line.slice(0, 6).trim())).toEqual([
      'ok',
      'ok',
      'ok',
      'ok',
      'ok',
      '',
    ])
    expect(good.code).toBe(0)
    expect(await readdir(dir)).toEqual([])
    await writeFile(join(dir, 'file'), '')
    const env = { COMPOSER_HOME: dir, CORE_DIR: join(dir, 'file/x') }
    const bad = await runComposer({ args: ['--self-test'], env, core: Buffer.alloc(0) })
    expect(bad.code).toBe(1)
    expect(bad.stdout).toMatch(/^not ok {2}directory: .*ENOTDIR/m)
  })
})
