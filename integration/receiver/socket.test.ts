import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { received } from '@core-dump-handler/testing/receiver/received'
import { coreSockets } from './core-sockets.ts'

/** Crashes a program; resolves with its pid and how long it took to die. */
async function crash(...args: string[]): Promise<{ pid: number; ms: number; signal: unknown }> {
  const startedMs = performance.now()
  const child = spawn(testProgram('crasher'), ['-l', '0', ...args], { stdio: 'ignore' })
  const [, signal] = await once(child, 'exit')
  return { pid: child.pid ?? 0, ms: performance.now() - startedMs, signal }
}

coreSockets('the receiver on a coredump socket', () => {
  test('stores the whole core of a crash with what the kernel reports of it', async () => {
    let died = { pid: 0, ms: 0, signal: undefined as unknown }
    const receiver = await received({ COMPRESSION_MODE: 'store' }, async () => {
      died = await crash('-m', '20')
    })
    const bundle = await receiver.bundleOf(died.pid)
    const { manifest, dumpInfo } = bundle
    expect(died.signal).toBe('SIGSEGV')
    expect(manifest).toMatchObject({
      entry: 'socket',
      crash: { signal: 11, signalName: 'SIGSEGV', hostPid: died.pid, pid: died.pid, tid: died.pid },
      core: { complete: true, mode: 'store' },
      identity: { status: 'host' },
      problems: [],
    })
    expect(manifest.crash.exe).toBe(testProgram('crasher'))
    expect(manifest.crash).toMatchObject({ uid: 0, gid: 0, dumpMode: 1 })
    expect(manifest.core.bytes).toBeGreaterThan(20 * 2 ** 20)
    expect(manifest.core.bytes).toBe(manifest.core.expectedBytes)
    expect((await bundle.bytes('.core')).length).toBe(manifest.core.bytes)
    expect(dumpInfo['signal']).toBe('11')
  })

  test('names the thread that crashed, and its name as bytes', async () => {
    let inThread = { pid: 0 }
    let hostile = { pid: 0 }
    const receiver = await received({}, async () => {
      inThread = await crash('-t', '-s', '6')
      hostile = await crash('-n', '61ff0a62')
    })
    const thread = (await receiver.bundleOf(inThread.pid)).manifest.crash
    expect(thread).toMatchObject({ comm: 'crash-thread', signalName: 'SIGABRT' })
    expect(thread.tid).toBeGreaterThan(inThread.pid)
    const named = (await receiver.bundleOf(hostile.pid)).manifest.crash
    expect(named.commHex).toBe('61ff0a62')
  })

  test('stores five programs and the children they forked, at once', async () => {
    const receiver = await received({}, async (one) => {
      const forked = Array.from({ length: 5 }, () =>
        spawn(testProgram('crasher'), ['-l', '0', '-m', '1', '-f'], { stdio: 'ignore' }),
      )
      await Promise.all(Array.from({ length: 5 }, () => crash('-m', '1')))
      await one.bundles(10)
      for (const child of forked) child.kill('SIGKILL')
    })
    const bundles = await receiver.bundles(10)
    expect(bundles.every(({ manifest }) => manifest.core.complete)).toBe(true)
    expect(new Set(bundles.map(({ manifest }) => manifest.crash.hostPid)).size).toBe(10)
  })

  test('reports the crash of each of five programs at once, also of a core that is not wanted', async () => {
    const receiver = await received({ HONOR_CORE_LIMIT: 'true' }, async (one) => {
      const limited = spawn('sh', ['-c', `ulimit -c 0; exec ${testProgram('crasher')} -l 0 -m 1`])
      await Promise.all([
        ...Array.from({ length: 4 }, () => crash('-m', '1')),
        once(limited, 'exit'),
      ])
      await one.bundles(5)
    })
    const bundles = await receiver.bundles(5)
    for (const { entries, manifest } of bundles) {
      expect(manifest.problems.filter(({ code }) => code !== 'CORE_REFUSED')).toEqual([])
      const names = ['-report.json', '-report.txt']
      if (manifest.core.complete) names.push('-mini.core')
      expect(entries).toEqual(expect.arrayContaining(names))
      expect(manifest.fingerprint?.id).toEqual(bundles[0]?.manifest.fingerprint?.id)
      expect(manifest.topFrame).toMatch(/^crash_here \(crasher/)
    }
  })

  test('stores what there is of a process that is killed while it dumps [receiver-10]', async () => {
    let pid = 0
    const receiver = await received({ COMPRESSION_MODE: 'deflate' }, async (one) => {
      const child = spawn(testProgram('crasher'), ['-l', '0', '-m', '400'], { stdio: 'ignore' })
      pid = child.pid ?? 0
      const exit = once(child, 'exit')
      while (!/CoreDumping:\t1/.test(statusOf(pid))) await sleep(5)
      await sleep(50)
      process.kill(pid, 'SIGKILL')
      await exit
      await one.bundleOf(pid)
    })
    const { manifest } = await receiver.bundleOf(pid)
    expect(manifest.core.complete).toBe(false)
    expect(['TRUNCATED', 'EMPTY']).toContain(manifest.core.reasonCode)
  })

  test('ends at once when the receiver itself crashes: no one would answer for it', async () => {
    await received({}, async (one) => {
      const startedMs = performance.now()
      process.kill(one.daemon.pid, 'SIGSEGV')
      expect(await one.daemon.ended).toBe('SIGSEGV')
      expect(performance.now() - startedMs).toBeLessThan(3000)
    })
  })

  test('reads a new .env for the next crash', async () => {
    let died = { pid: 0 }
    const receiver = await received({}, async (one) => {
      await crash()
      execFileSync('sh', ['-c', `echo FILENAME_TEMPLATE=later-{pid} > ${one.hostDir}/.env`])
      died = await crash()
    })
    const { name } = await receiver.bundleOf(died.pid)
    expect(name).toBe(`later-${died.pid}`)
  })
})

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}
