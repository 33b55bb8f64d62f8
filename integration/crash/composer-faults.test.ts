import { once } from 'node:events'
import { copyFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { coreImage } from '@core-dump-handler/testing/agent/killed-composer'
import { memoryCgroup } from '@core-dump-handler/testing/kernel/memory-cgroup'
import { uploadAll, CORE, expectSound } from './outcome.ts'
import { Workshop } from './workshop.ts'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'

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
  running.child.stdin.write(HALF)
  // some of it is in the file, the rest on its way
  await until('the first half is being written', stored)
  return running
}

realParts('a composer started without the kernel', () => {
  describe('with a runtime that never responds', () => {
    test.for([
      ['SIGTERM', 143, {}],
      ['SIGINT', 130, {}],
      ['its time limit', 32, { TIMEOUT: '4' }],
    ] as const)('ends by %s with the whole core [composer-7]', async ([how, code, env]) => {
      const workshop = new Workshop()
      const settings = { ...(await silentRuntime(workshop)), ...env }
      const { child, ended } = workshop.start({ name: 'asking', core: CORE, env: settings })
      await once(child.stdin, 'close')
      await sleep(500)
      if (how !== 'its time limit') child.kill(how)
      expect(await ended).toMatchObject({ code })
      expect((await expectSound(workshop.path('asking'))).manifest.core.complete).toBe(true)
    })

    test('loses nothing of the core by kill -9 [composer-3]', async () => {
      const workshop = new Workshop()
      const env = await silentRuntime(workshop)
      const { child, ended } = workshop.start({ name: 'asking', core: CORE, env })
      await once(child.stdin, 'close')
      await sleep(500)
      child.kill('SIGKILL')
      await ended
      expect(await uploadAll(workshop)).toEqual(['asking.zip'])
      const bundle = await expectSound(join(workshop.directory, 'store/asking.zip'))
      expect(bundle.manifest.core.bytes).toBe(CORE.length)
    })
  })

  test('writes a record on SIGTERM before the first byte [composer-5]', async () => {
    const workshop = new Workshop()
    const { child, ended } = workshop.start({ name: 'empty' })
    await until('the file is there', () => existsSync(workshop.partPath('empty')))
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 143 })
    const { manifest } = await expectSound(workshop.path('empty'))
    expect(manifest.core).toMatchObject({ bytes: 0, complete: false })
  })

  test('works as the kernel starts it: cwd /, no environment, no stdout and stderr [composer-25, B26]', async () => {
    const workshop = new Workshop()
    const under = ['/bin/sh', '-c', 'umask 0; exec "$@" >&- 2>&-', 'sh']
    const { ended } = workshop.start({ name: 'kernel', core: CORE, under })
    expect(await ended).toMatchObject({ code: 0 })
    const { manifest } = await expectSound(workshop.path('kernel'))
    expect(manifest.core.complete).toBe(true)
    // B26: whatever the umask
    expect((statSync(workshop.path('kernel')).mode & 0o777).toString(8)).toBe('600')
  })

  test('releases the process and logs the reason when its directory is removed while it drains [composer-15]', async () => {
    const workshop = new Workshop()
    const { child, ended } = await halfFed(workshop)
    rmSync(workshop.coreDir, { recursive: true })
    child.stdin.end(LARGE.subarray(HALF.length))
    expect(await ended).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') })
  })

  test.for([
    ['read-only', 'ro,size=4m', 'EROFS'],
    ['without inodes', 'size=4m,nr_inodes=1', 'ENOSPC'],
    ['without space', 'size=4k', 'ENOSPC'],
  ] as const)(
    'releases the process and logs the reason on a file system %s [composer-14]',
    async ([, options, code]) => {
      const workshop = new Workshop()
      await execa('mount', ['-t', 'tmpfs', '-o', options, 'none', workshop.coreDir])
      const { ended } = workshop.start({ name: 'none', core: CORE, env: { MIN_FREE_BYTES: '0' } })
      const { stderr } = await ended
      expect(stderr).toContain(code)
      for (const name of readdirSync(workshop.coreDir).filter((file) => file.endsWith('.zip'))) {
        // readers need room beside it
        const copy = join(workshop.directory, name)
        copyFileSync(join(workshop.coreDir, name), copy)
        expect((await expectSound(copy)).manifest.core.complete).toBe(false)
      }
    },
  )

  test('keeps core, name and limits when the clock is set back while it drains [composer-19]', async () => {
    const workshop = new Workshop()
    const clock = join(workshop.directory, 'clock')
    writeFileSync(clock, '+0')
    const env = {
      LD_PRELOAD: (
        await execa('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'])
      ).stdout.trim(),
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    }
    const { child, ended } = await halfFed(workshop, { env })
    writeFileSync(clock, '-3d')
    await sleep(300)
    child.stdin.end(LARGE.subarray(HALF.length))
    expect(await ended).toMatchObject({ code: 0 })
    const { manifest } = await expectSound(workshop.path('half'), LARGE)
    expect(manifest.core.complete).toBe(true)
    for (const took of Object.values(manifest.timings)) {
      expect(took).toBeGreaterThanOrEqual(0)
      expect(took).toBeLessThan(60_000)
    }
  })

  test('leaves a bundle of what it wrote when the kernel kills it for memory [composer-26]', async () => {
    const workshop = new Workshop()
    const cgroup = memoryCgroup(160)
    onTestFinished(() => cgroup.remove())
    const { child, ended } = await halfFed(workshop)
    cgroup.add(child.pid ?? 0)
    // the kernel kills this one when another process uses the rest of the memory
    writeFileSync(`/proc/${child.pid}/oom_score_adj`, '1000')
    const allocate = 'input(); a = bytearray(400 << 20)'
    const other = execa('/usr/bin/python3', ['-c', allocate], { reject: false })
    cgroup.add(other.pid ?? 0)
    other.stdin.end('\n')
    expect(await ended).toMatchObject({ signal: 'SIGKILL' })
    await other
    expect(cgroup.kills()).toBeGreaterThan(0)
    expect(await uploadAll(workshop)).toEqual(['half.zip'])
    const { manifest } = await expectSound(join(workshop.directory, 'store/half.zip'), LARGE)
    expect(manifest.core).toMatchObject({
      complete: false,
      reason: expect.stringContaining('died'),
    })
    expect(manifest.core.bytes).toBeGreaterThan(0)
  })

  test(
    'handles a core of 600 MiB in a memory cgroup of 128 MiB [composer-27]',
    { timeout: 240_000 },
    async () => {
      const workshop = new Workshop()
      const cgroup = memoryCgroup(128)
      onTestFinished(() => cgroup.remove())
      const enter = ['/bin/sh', '-c', `echo 0 > ${cgroup.procs}; exec "$@"`, 'sh']
      const { child, ended } = workshop.start({ name: 'large', under: enter })
      const core = 'head -c 300M /dev/urandom; head -c 300M /dev/zero'
      const feeder = execa('/bin/sh', ['-c', core], { buffer: false })
      feeder.stdout.pipe(child.stdin)
      await feeder
      expect(await ended).toMatchObject({ code: 0, signal: null })
      await execa('unzip', ['-tqq', workshop.path('large')])
      expect(cgroup.kills()).toBe(0)
    },
  )
})
