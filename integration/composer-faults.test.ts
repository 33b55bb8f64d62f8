import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { coreImage } from '@core-dump-handler/testing/agent/killed-composer'
import { memoryCgroup } from './harness/memory-cgroup.ts'
import { carry, CORE, expectSound } from './composer/outcome.ts'
import { Workshop } from './composer/workshop.ts'
import { run } from './harness/program.ts'
import { realParts } from './harness/requirements.ts'
import { until } from './harness/until.ts'

/** So much of it that its half is not kept in memory until there is more. */
const LARGE = coreImage(6_000_000)
const HALF = LARGE.subarray(0, LARGE.length / 2)

/** Settings by which a composer asks a runtime that takes every question and answers none. */
async function silentRuntime(workshop: Workshop): Promise<Record<string, string>> {
  const socket = join(workshop.directory, 'silent.sock')
  const server = createServer(() => {}).listen(socket)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const limits = { CRI_CALL_TIMEOUT_MS: '60000', CRI_TOTAL_TIMEOUT_MS: '60000' }
  return { IGNORE_CRIO: 'false', CRI_CLIENT: 'grpc', CRI_ENDPOINT: socket, ...limits }
}

/** Start a composer and give it the first half of a core. */
async function halfFed(
  workshop: Workshop,
  options: { env?: Record<string, string>; under?: readonly string[] } = {},
): Promise<ReturnType<Workshop['start']>> {
  const running = workshop.start({ name: 'half', ...options })
  const part = workshop.partPath('half')
  const stored = (): boolean => existsSync(part) && statSync(part).size > 10_000
  running.child.stdin?.write(HALF)
  // some of it is in the file, the rest on its way
  await until('the first half is being written', stored)
  return running
}

realParts('a composer started by hand', () => {
  describe('whose runtime never answers', () => {
    test.for([
      ['SIGTERM', 143, {}],
      ['SIGINT', 130, {}],
      ['its time limit', 32, { TIMEOUT: '4' }],
    ] as const)('ends by %s with the whole core', async ([how, code, env]) => {
      const workshop = new Workshop()
      const settings = { ...(await silentRuntime(workshop)), ...env }
      const { child, ended } = workshop.start({ name: 'asking', core: CORE, env: settings })
      await once(child.stdin as NonNullable<typeof child.stdin>, 'close')
      await sleep(500)
      if (how !== 'its time limit') child.kill(how)
      expect(await ended).toMatchObject({ code })
      expect((await expectSound(workshop.path('asking'))).manifest.core.complete).toBe(true)
    })

    test('kill -9 loses nothing of the core', async () => {
      const workshop = new Workshop()
      const env = await silentRuntime(workshop)
      const { child, ended } = workshop.start({ name: 'asking', core: CORE, env })
      await once(child.stdin as NonNullable<typeof child.stdin>, 'close')
      await sleep(500)
      child.kill('SIGKILL')
      await ended
      expect(await carry(workshop)).toEqual(['asking.zip'])
      const bundle = await expectSound(join(workshop.directory, 'store/asking.zip'))
      expect(bundle.manifest.core.bytes).toBe(CORE.length)
    })
  })

  test('before the first byte: SIGTERM leaves a record', async () => {
    const workshop = new Workshop()
    const { child, ended } = workshop.start({ name: 'empty' })
    await until('the file is there', () => existsSync(workshop.partPath('empty')))
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 143 })
    const { manifest } = await expectSound(workshop.path('empty'))
    expect(manifest.core).toMatchObject({ bytes: 0, complete: false })
  })

  test('as the kernel starts it: cwd /, no environment, no stdout and stderr', async () => {
    const workshop = new Workshop()
    const under = ['/bin/sh', '-c', 'umask 0; exec "$@" >&- 2>&-', 'sh']
    const { ended } = workshop.start({ name: 'kernel', core: CORE, under })
    expect(await ended).toMatchObject({ code: 0 })
    const { manifest } = await expectSound(workshop.path('kernel'))
    expect(manifest.core.complete).toBe(true)
    // B26: whatever the umask
    expect((statSync(workshop.path('kernel')).mode & 0o777).toString(8)).toBe('600')
  })

  test('whose directory is removed in mid-drain lets the process go and says so', async () => {
    const workshop = new Workshop()
    const { child, ended } = await halfFed(workshop)
    rmSync(workshop.coreDir, { recursive: true })
    child.stdin?.end(LARGE.subarray(HALF.length))
    expect(await ended).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') })
  })

  test.for([
    ['read-only', 'ro,size=4m', 'EROFS'],
    ['without inodes', 'size=4m,nr_inodes=1', 'ENOSPC'],
    ['without space', 'size=4k', 'ENOSPC'],
  ] as const)('on a file system %s lets the process go and says so', async ([, options, code]) => {
    const workshop = new Workshop()
    await run('mount', ['-t', 'tmpfs', '-o', options, 'none', workshop.coreDir])
    const { ended } = workshop.start({ name: 'none', core: CORE, env: { MIN_FREE_BYTES: '0' } })
    const { stderr } = await ended
    expect(stderr).toContain(code)
    for (const name of readdirSync(workshop.coreDir).filter((file) => file.endsWith('.zip'))) {
      // readers need room beside it
      const copy = join(workshop.directory, name)
      copyFileSync(join(workshop.coreDir, name), copy)
      expect((await expectSound(copy)).manifest.core.complete).toBe(false)
    }
  })

  test('whose clock is set back in mid-drain keeps its core, its name and its limits', async () => {
    const workshop = new Workshop()
    const clock = join(workshop.directory, 'clock')
    writeFileSync(clock, '+0')
    const env = {
      LD_PRELOAD: (
        await run('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'])
      ).stdout.trim(),
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    }
    const { child, ended } = await halfFed(workshop, { env })
    writeFileSync(clock, '-3d')
    await sleep(300)
    child.stdin?.end(LARGE.subarray(HALF.length))
    expect(await ended).toMatchObject({ code: 0 })
    const { manifest } = await expectSound(workshop.path('half'), LARGE)
    expect(manifest.core.complete).toBe(true)
    for (const took of Object.values(manifest.timings)) {
      expect(took).toBeGreaterThanOrEqual(0)
      expect(took).toBeLessThan(60_000)
    }
  })

  test('killed for want of memory: what it had written becomes a bundle', async () => {
    const workshop = new Workshop()
    const cgroup = memoryCgroup(160)
    onTestFinished(() => cgroup.remove())
    const { child, ended } = await halfFed(workshop)
    cgroup.add(child.pid ?? 0)
    // it is the one to be killed, by the kernel, when another takes what there is
    writeFileSync(`/proc/${child.pid}/oom_score_adj`, '1000')
    const greedy = spawn('/usr/bin/python3', ['-c', 'input(); a = bytearray(400 << 20)'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const greedyEnded = once(greedy, 'exit')
    cgroup.add(greedy.pid ?? 0)
    greedy.stdin.end('\n')
    expect(await ended).toMatchObject({ signal: 'SIGKILL' })
    await greedyEnded
    expect(cgroup.kills()).toBeGreaterThan(0)
    expect(await carry(workshop)).toEqual(['half.zip'])
    const { manifest } = await expectSound(join(workshop.directory, 'store/half.zip'), LARGE)
    expect(manifest.core).toMatchObject({
      complete: false,
      reason: expect.stringContaining('died'),
    })
    expect(manifest.core.bytes).toBeGreaterThan(0)
  })

  test('fits a memory cgroup of 128 MiB with a core of 600 MiB', { timeout: 240_000 }, async () => {
    const workshop = new Workshop()
    const cgroup = memoryCgroup(128)
    onTestFinished(() => cgroup.remove())
    const enter = ['/bin/sh', '-c', `echo 0 > ${cgroup.procs}; exec "$@"`, 'sh']
    const { child, ended } = workshop.start({ name: 'large', under: enter })
    const feeder = spawn('/bin/sh', ['-c', 'head -c 300M /dev/urandom; head -c 300M /dev/zero'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    feeder.stdout.pipe(child.stdin as NonNullable<typeof child.stdin>)
    expect(await ended).toMatchObject({ code: 0, signal: null })
    await run('unzip', ['-tqq', workshop.path('large')])
    expect(cgroup.kills()).toBe(0)
  })
})
