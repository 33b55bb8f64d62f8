import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { MAIN, startComposer, test } from '@core-dump-handler/testing/composer/run-composer'
import { freezableDisk } from '@core-dump-handler/testing/freezable-disk'
import { describe, expect } from 'vitest'

const CORE = elfCore(4_000_000)
const HALF = CORE.subarray(0, 2_000_000)

describe('composer, stopped early', () => {
  test('completes a valid bundle when stdin stalls, and exits with 32 [composer-8, B7]', async ({
    dir,
  }) => {
    const env = { COMPOSER_HOME: dir, CORE_DIR: dir, TIMEOUT: '2' }
    const run = startComposer({ env })
    run.stdin.write(HALF)
    const { code } = await run.ended
    const bundle = await onlyBundle(dir)
    expect(code).toBe(32)
    expect((await bundle.bytes('.core')).equals(HALF)).toBe(true)
    expect(bundle.manifest.core).toMatchObject({
      complete: false,
      bytes: HALF.length,
      expectedBytes: CORE.length,
      reason: expect.stringMatching(/not done after 2 s/),
      reasonCode: 'TIMEOUT',
    })
    expect(await readFile(join(dir, 'composer.log'), 'utf8')).toContain(
      'Timeout error during coredump processing',
    )
  })

  test('takes -T before TIMEOUT [B32]', async ({ dir }) => {
    const run = startComposer({ args: ['-T', '2', '-d', dir], env: { TIMEOUT: '600' } })
    run.stdin.write(HALF)
    expect(await run.ended).toMatchObject({ code: 32 })
    expect((await onlyBundle(dir)).manifest.core.bytes).toBe(HALF.length)
  })

  test.for(['its time limit', 'SIGTERM'] as const)(
    'C6: releases the process at %s while the disk hangs before the first write',
    async (how, { dir }) => {
      await using disk = freezableDisk(dir, 64)
      if (disk === undefined) return
      const limit = { TIMEOUT: how === 'SIGTERM' ? '600' : '1' }
      disk.freeze()
      const run = startComposer({
        env: { COMPOSER_HOME: dir, CORE_DIR: join(disk.path, 'cores'), ...limit },
      })
      const released = new Promise((resolve) => run.stdin.once('close', resolve))
      // more than is read ahead and fits the pipe
      run.stdin.write(CORE)
      await delay(1000)
      if (how === 'SIGTERM') run.kill(how)
      await released
      const log = join(dir, 'composer.log')
      const why = /ERROR - .*cannot create a file in `.*cores`: the disk does not answer/
      await expect.poll(() => readFile(log, 'utf8'), { timeout: 15_000 }).toMatch(why)
    },
  )

  test.for([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    'completes a valid bundle on %s during the drain [composer-6]',
    async ([signal, exitCode], { dir }) => {
      const run = startComposer({ args: ['-d', dir] })
      run.stdin.write(HALF)
      // written means read, but for what fits the pipe
      while (run.stdin.writableLength > 0) await delay(20)
      await delay(200)
      run.kill(signal)
      const { code, stdout } = await run.ended
      const bundle = await onlyBundle(dir)
      expect(code).toBe(exitCode)
      expect(stdout).toBe(`${bundle.path}\n`)
      expect(bundle.manifest.core).toMatchObject({
        complete: false,
        reason: `Ended by ${signal}`,
        reasonCode: 'INTERRUPTED',
      })
      expect((await bundle.bytes('.core')).equals(HALF)).toBe(true)
    },
  )

  test('completes a valid bundle on a fault of its own, and reports it', async ({ dir }) => {
    const fault = join(dir, 'fault.cjs')
    const now = join(dir, 'now')
    await writeFile(
      fault,
      `const { existsSync } = require('node:fs')
       const timer = setInterval(() => {
         if (!existsSync(${JSON.stringify(now)})) return
         clearInterval(timer)
         throw new Error('a bug')
       }, 20)`,
    )
    const run = startComposer({
      env: { COMPOSER_HOME: dir, CORE_DIR: dir, NODE_OPTIONS: `--require ${fault}` },
    })
    run.stdin.write(HALF)
    while (run.stdin.writableLength > 0) await delay(20)
    await delay(500)
    await writeFile(now, '')
    expect(await run.ended).toMatchObject({ code: 1, stderr: '' })
    const bundle = await onlyBundle(dir)
    const { manifest } = bundle
    expect((await bundle.bytes('.core')).equals(HALF)).toBe(true)
    expect(manifest.core.complete).toBe(false)
    expect(manifest.problems).toMatchObject([
      { code: 'FAULT', message: expect.stringContaining('a bug') },
    ])
    expect(await readFile(join(dir, 'composer.log'), 'utf8')).toMatch(/^ERROR .*a bug/m)
  })

  test('reports how much is missing when the crashed process was killed [B19]', async ({ dir }) => {
    const run = startComposer({ args: ['-d', dir], core: HALF })
    expect(await run.ended).toMatchObject({ code: 0 })
    expect((await onlyBundle(dir)).manifest.core).toMatchObject({
      bytes: HALF.length,
      expectedBytes: CORE.length,
      complete: false,
      reason: expect.stringMatching(/2000000.*4000000/),
      reasonCode: 'TRUNCATED',
    })
  })

  test('writes a record when no part of the core fits [B7]', async ({ dir }) => {
    // as on a full disk, no write beyond 16 KiB succeeds
    const script = `ulimit -f 16; exec "$0" "$1" -D -d "$2"`
    const { status } = spawnSync('/bin/bash', ['-c', script, process.execPath, MAIN, dir], {
      input: CORE,
    })
    const { entries, manifest } = await onlyBundle(dir)
    expect(status).toBe(1)
    expect(entries).toEqual(['-dump-info.json', '-manifest.json'])
    expect(manifest.core).toEqual({
      bytes: 0,
      complete: false,
      reason: expect.stringMatching(/Cannot write .*EFBIG/),
      reasonCode: 'CORE_NOT_WRITTEN',
    })
  })
})
