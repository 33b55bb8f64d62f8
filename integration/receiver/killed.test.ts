import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { crashingDuring } from '@core-dump-handler/testing/kernel/crash-loop'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'
import { type Pair, withPair } from './pair.ts'

const LOOPS = 4
const KILLS = 3
/** Longer than a restart by the kubelet, as a rule. */
const DOWN_MS = 700
const STEADY_MS = 500
const QUEUED = 12
/** The agent holds the queue of a killed receiver for 10 s. */
const MAX_HELD_MS = 11_500

coreSockets('a receiver that is killed', () => {
  test(
    'leaves no crash without a bundle or a record, several times under a crash loop [receiver-23]',
    { timeout: 180_000 },
    async () => {
      await withPair(async (one) => {
        const { crashes } = await crashingDuring(async () => {
          for (let kill = 0; kill < KILLS; kill++) {
            await sleep(STEADY_MS)
            one.receiver.kill()
            await one.receiver.daemon.ended
            await sleep(DOWN_MS)
            await one.receiver.start()
            await one.usesSocket()
          }
          await sleep(STEADY_MS)
        }, LOOPS)
        const { lost, silent, ...stored } = await one.outcomesOf(crashes)
        const counts = { crashes: crashes.length, ...stored, lost: lost.length }
        process.stderr.write(`killed ${KILLS} times: ${JSON.stringify(counts)}\n`)
        expect(silent).toEqual([])
        expect(lost.length).toBeLessThanOrEqual(KILLS * LOOPS)
        expect(stored.socket).toBeGreaterThan(0)
        expect(stored.pipe).toBeGreaterThan(0)
      })
    },
  )

  describe('with crashes in the queue of its socket', () => {
    test('has them stored by the next receiver [receiver-24]', async () => {
      await withPair(async (one) => {
        const queued = await killedWithQueue(one)
        await one.receiver.start()
        await storesAll(one, queued)
      })
    })

    test('has them stored by the next receiver after the agent was killed and started again [receiver-24]', async () => {
      await withPair(async (one) => {
        process.kill(one.agent.daemon.pid, 'SIGKILL')
        await one.agent.daemon.ended
        await one.agent.start()
        await one.usesSocket()
        const queued = await killedWithQueue(one)
        await one.receiver.start()
        await storesAll(one, queued)
      })
    })

    test('has a record of one that was killed in the queue, by the process that the kernel names [receiver-33]', async () => {
      await withPair(async (one) => {
        const { daemon } = one.receiver
        process.kill(daemon.pid, 'SIGSTOP')
        const crashed = spawn(testProgram('crasher'), ['-l', '0', '-m', '1'], { stdio: 'ignore' })
        const died = once(crashed, 'exit')
        const pid = crashed.pid ?? 0
        await until('the kernel has connected', () => isDumping(pid))
        // as the kubelet does with a pod that is deleted
        process.kill(pid, 'SIGKILL')
        await died
        process.kill(daemon.pid, 'SIGCONT')
        const { manifest } = await one.receiver.bundleOf(pid)
        expect(manifest).toMatchObject({
          entry: 'socket',
          crash: { hostPid: pid, uid: 0, gid: 0 },
          core: { bytes: 0, complete: false, reasonCode: 'EMPTY' },
          identity: { status: 'unverified' },
        })
      })
    })

    test('has them released and recorded after 10 s without another receiver [receiver-25]', async () => {
      await withPair(async (one) => {
        const startedMs = performance.now()
        const queued = await killedWithQueue(one)
        await queued.died
        expect(performance.now() - startedMs).toBeLessThan(MAX_HELD_MS)
        await until('their record', () => one.recordedPids.size > 0)
        expect(new Set(queued.pids)).toEqual(one.recordedPids)
        await one.receiver.start()
        await one.usesSocket()
      })
    })

    test('has them released and recorded when the agent ends as well [receiver-25]', async () => {
      await withPair(async (one) => {
        const queued = await killedWithQueue(one)
        await one.agent.daemon.stop()
        await queued.died
        expect(new Set(queued.pids)).toEqual(one.recordedPids)
      })
    })
  })
})

coreSockets('the socket by which a receiver passes its queue', () => {
  test('is closed to all but root [receiver-26]', async () => {
    await withPair(async (one) => {
      const path = join(one.agent.hostDir, 'receiver-queue.sock')
      expect(connectAs(0, path)).toBe('none 1\n')
      expect(connectAs(65_534, path)).toBe('EACCES 0\n')
      // its owner is checked even so
      for (const each of [one.agent.directory, one.agent.hostDir]) chmodSync(each, 0o755)
      chmodSync(path, 0o666)
      expect(connectAs(65_534, path)).toBe('none 0\n')
      expect(readFileSync(join(one.agent.directory, 'receiver.log'), 'utf8')).toMatch(
        /receiver-queue\.sock: it is not a process of root/,
      )
    })
  })
})

interface Queued {
  readonly pids: readonly number[]
  readonly died: Promise<unknown>
}

/** A receiver that has accepted none of some crashes, and is killed. */
async function killedWithQueue(one: Pair): Promise<Queued> {
  const { daemon } = one.receiver
  process.kill(daemon.pid, 'SIGSTOP')
  const crashed = Array.from({ length: QUEUED }, () =>
    spawn(testProgram('crasher'), ['-l', '0', '-m', '1'], { stdio: 'ignore' }),
  )
  const died = Promise.all(crashed.map((child) => once(child, 'exit')))
  const pids = crashed.map(({ pid }) => pid ?? 0)
  await until('the kernel has connected for each', () => pids.every(isDumping))
  one.receiver.kill()
  await daemon.ended
  await one.fallsBack()
  expect(pids.filter(isDumping)).toEqual(pids)
  return { pids, died }
}

async function storesAll(one: Pair, { pids, died }: Queued): Promise<void> {
  await died
  for (const pid of pids) {
    const { manifest } = await one.receiver.bundleOf(pid)
    expect(manifest).toMatchObject({ entry: 'socket', core: { complete: true } })
  }
  expect([...one.recordedPids]).toEqual([])
  await one.usesSocket()
}

function isDumping(pid: number): boolean {
  try {
    return /^CoreDumping:\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

/** What a process of `uid` gets on a socket to which it sends a byte. */
function connectAs(uid: number, path: string): string {
  const script = `
    let [bytes, failure] = [0, 'none']
    const socket = require('node:net').connect(process.argv[1], () => socket.write('x'))
    socket.on('data', (chunk) => (bytes += chunk.length))
    socket.on('error', ({ syscall, code }) => (failure = syscall === 'connect' ? code : 'none'))
    socket.on('close', () => console.log(failure, bytes))`
  const user = ['--reuid', String(uid), '--clear-groups', '--']
  return execFileSync('setpriv', [...user, process.execPath, '-e', script, path]).toString()
}
