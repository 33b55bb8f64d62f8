import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { runComposer, test } from '@core-dump-handler/testing/composer/run-composer'

const CORE = elfCore(100_000)

describe('a crash without a core', () => {
  test.for([
    ['-c=0', { HONOR_CORE_LIMIT: 'true' }, /core limit of 0/],
    ['-c=4095', { HONOR_CORE_LIMIT: 'true' }, /core limit of 4095/],
    ['-M=2', { SUID_CORES: 'refuse' }, /set-uid/],
    ['-s=6', { MIN_FREE_BYTES: '9007199254740991' }, /bytes free/],
  ] as const)('is a record with the reason: %s %o', async ([arg, env, reason], { dir }) => {
    const { code } = await runComposer({
      args: [arg],
      env: { COMPOSER_HOME: dir, CORE_DIR: dir, ...env },
      core: CORE,
    })
    const { entries, manifest } = await onlyBundle(dir)
    expect(code).toBe(0)
    expect(entries).toEqual(['-dump-info.json', '-manifest.json'])
    expect(manifest.core).toEqual({
      bytes: 0,
      complete: false,
      reason: expect.stringMatching(reason),
      reasonCode: expect.stringMatching(/^CORE_(REFUSED|NO_SPACE)$/),
    })
    expect(await readFile(join(dir, 'composer.log'), 'utf8')).toMatch(/CORE_(REFUSED|NO_SPACE)/)
  })

  test.for([
    ['-c=0', {}],
    ['-c=4096', { HONOR_CORE_LIMIT: 'true' }],
    ['-c=18446744073709551615', { HONOR_CORE_LIMIT: 'true' }],
    ['-M=2', {}],
    ['-s=6', { MIN_FREE_BYTES: '4096' }],
  ] as const)('is not caused by %s %o', async ([arg, env], { dir }) => {
    const cores = join(dir, 'not/yet/there')
    await runComposer({ args: [arg, '-d', cores], env, core: CORE })
    const { core, problems } = (await onlyBundle(cores)).manifest
    expect({ complete: core.complete, problems }).toEqual({ complete: true, problems: [] })
  })
})
