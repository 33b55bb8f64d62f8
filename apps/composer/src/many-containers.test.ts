import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { crowdedId, crowdedPod } from '@core-dump-handler/testing/composer/crowded-pod'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { startComposer, test } from '@core-dump-handler/testing/composer/run-composer'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'

const CONTAINERS = 64
const MIB = 1024 * 1024

/** A core that compresses, of `bytes` bytes. */
function textCore(bytes: number): Buffer {
  const core = Buffer.alloc(bytes, 'some text that compresses, number 12345; ')
  elfCore(4096).copy(core)
  // p_filesz of its only segment
  core.writeBigUInt64LE(BigInt(bytes - 120), 96)
  return core
}

/** Threads of the process that wait for an answer of a FUSE file system. */
function hangingThreads(pid: number): number {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).filter((tid) =>
    /request_wait|fuse/.test(readFileSync(join(tasks, tid, 'wchan'), 'latin1')),
  ).length
}

const CORE = textCore(36 * MIB)

describe.skipIf(!canMountSilentFiles())('composer, of a pod whose logs are on a dead mount', () => {
  test.for([
    ['deflate', 'the logs'],
    ['adaptive', 'the logs and the memory of the process'],
  ] as const)(
    'C1: releases the process as fast as with sound ones, in mode %s, when %s hang',
    { timeout: 60_000 },
    async ([mode, what], { dir }) => {
      const took: number[] = []
      for (const hung of [false, true]) {
        const at = join(dir, String(hung))
        mkdirSync(at)
        using pod = await crowdedPod(at, CONTAINERS)
        const environ = join(pod.proc, '4711/environ')
        const paths = what === 'the logs' ? [pod.logPath] : [pod.logPath, environ]
        const silent = await Promise.all((hung ? paths : []).map((path) => mountSilentFile(path)))
        try {
          const env = {
            ...pod.env,
            COMPRESSION_MODE: mode,
            INCLUDE_PROC_INFO: 'true',
            TIMEOUT: '20',
          }
          const running = startComposer({ args: [...pod.args], env })
          const released = new Promise((resolve) => running.stdin.on('close', resolve))
          running.stdin.write(CORE.subarray(0, 200_000))
          // the snapshot gives up the environment after a second, then the lookup starts
          await delay(2500)
          if (hung) expect(hangingThreads(running.pid)).toBe(1)
          const offered = performance.now()
          running.stdin.end(CORE.subarray(200_000))
          await released
          took.push(performance.now() - offered)
          // a thread that hangs keeps a process from exiting: it ends itself by SIGKILL
          expect(await running.ended).toMatchObject(hung ? { signal: 'SIGKILL' } : { code: 0 })
        } finally {
          for (const { release } of silent) await release()
        }
        const { manifest, entries } = await onlyBundle(pod.cores)
        expect(manifest.core).toMatchObject({ bytes: CORE.length, complete: true })
        expect(manifest.identity).toMatchObject({ status: 'verified', pod: 'web' })
        expect(entries.filter((entry) => /-\d+\.log$/.test(entry))).toHaveLength(CONTAINERS)
      }
      const [sound = 0, dead = 0] = took
      expect(dead).toBeLessThan(2 * sound + 500)
    },
  )
})

describe('composer, with INCLUDE_PROC_INFO', () => {
  test('C7: takes at most 100 MiB for 64 containers with 6 MiB of process files each', async ({
    dir,
  }) => {
    using pod = await crowdedPod(dir, CONTAINERS, {
      container: (number) => ({ info: { pid: 5000 + number } }),
    })
    for (let number = 0; number < CONTAINERS; number++) {
      const process = join(pod.proc, String(5000 + number))
      mkdirSync(process)
      writeFileSync(join(process, 'stat'), `1 (x) S ${'0 '.repeat(30)}\n`)
      const cgroup = readFileSync(join(pod.proc, '4711/cgroup'), 'latin1')
      writeFileSync(join(process, 'cgroup'), cgroup.replace(crowdedId(0), crowdedId(number)))
      for (const name of ['environ', 'cmdline', 'maps']) {
        writeFileSync(join(process, name), Buffer.alloc(2 * MIB, `ab${number}`))
      }
      for (const name of ['auxv', 'status']) writeFileSync(join(process, name), 'x')
    }
    const env = { ...pod.env, INCLUDE_PROC_INFO: 'true' }
    const running = startComposer({ args: [...pod.args], core: elfCore(200_000), env })
    let peakKiB = 0
    const timer = setInterval(() => (peakKiB = Math.max(peakKiB, peakOf(running.pid))), 10)
    expect((await running.ended).code).toBe(0)
    clearInterval(timer)
    const { entries } = await onlyBundle(pod.cores)
    expect(entries.filter((entry) => /-\d+-proc\/environ$/.test(entry)).length).toBeGreaterThan(1)
    expect(peakKiB).toBeGreaterThan(20 * 1024)
    expect(peakKiB).toBeLessThan(100 * 1024)
  })
})

/** Highest resident size of the process in KiB; 0 once it has ended. */
function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
