import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { readBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { type Crash, crashingDuring } from '@core-dump-handler/testing/kernel/crash-loop'
import { coreSysctls, setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

/** DESIGN: no crash is without a handler for longer. */
const MAX_GAP_MS = 200

/** An agent and a receiver of one node, while the kernel connects to the receiver. */
class Pair {
  readonly agent = new Agent({
    RECEIVER_MODE: 'required',
    COMP_RATE_CRASHES: '0',
    COMP_IGNORE_CRIO: 'true',
  })
  readonly receiver = new TestReceiver({}, this.agent)

  get pattern(): string {
    return coreSysctls()['kernel.core_pattern']
  }

  async start(): Promise<void> {
    await this.receiver.start()
    await this.agent.start()
    await this.usesSocket()
  }

  async usesSocket(): Promise<void> {
    await until('the kernel connects to the receiver', () => this.pattern === this.receiver.pattern)
  }

  /** Milliseconds until the composer is the handler again. */
  async fallsBack(timeoutMs?: number): Promise<number> {
    const startedMs = performance.now()
    while (this.pattern === this.receiver.pattern) {
      if (performance.now() - startedMs > (timeoutMs ?? 5000)) throw new Error(this.pattern)
      await sleep(1)
    }
    expect(this.pattern).toMatch(new RegExp(`^\\|${this.agent.hostDir}/cdc `))
    return performance.now() - startedMs
  }

  /** How the bundles of these crashes came; a crash without one is `lost`. */
  async entriesOf(crashes: readonly Crash[]): Promise<Record<string, number>> {
    const pids = new Set(crashes.map(({ pid }) => pid))
    const counts: Record<string, number> = {}
    await until('all bundles are written', () => {
      const parts = readdirSync(this.agent.coreDir).filter((name) => name.endsWith('.part'))
      return parts.length === 0
    })
    for (const name of readdirSync(this.agent.coreDir).filter((each) =>
      /crasher.*\.zip$/.test(each),
    )) {
      const { manifest } = await readBundle(join(this.agent.coreDir, name))
      if (!pids.delete(manifest.crash.hostPid ?? 0)) continue
      const entry = manifest.core.complete ? (manifest.entry ?? 'salvaged') : 'incomplete'
      counts[entry] = (counts[entry] ?? 0) + 1
    }
    if (pids.size > 0) counts['lost'] = pids.size
    return counts
  }

  async dispose(): Promise<void> {
    await this.receiver.dispose()
    await this.agent.dispose()
  }
}

/** Runs `task` on a pair; the node is restored at its end. */
async function withPair(task: (pair: Pair) => Promise<void>): Promise<Pair> {
  const pair = new Pair()
  onTestFinished(() => pair.dispose())
  await withKernel(async () => {
    const deadline = setTimeout(() => process.kill(pair.receiver.daemon.pid, 'SIGKILL'), 90_000)
    try {
      await pair.start()
      await task(pair)
    } catch (error) {
      process.stderr.write(`${pair.agent.output}\n${pair.receiver.output}\n`)
      throw error
    } finally {
      clearTimeout(deadline)
      await pair.agent.command('remove')
    }
    expect(pair.pattern).toBe('core')
  })
  return pair
}

const kill = (pid: number, signal: NodeJS.Signals = 'SIGKILL'): boolean => process.kill(pid, signal)

coreSockets('an agent and its receiver', () => {
  test('hand the kernel’s crashes to the receiver, and to the composer while it is gone [receiver-1]', async () => {
    const gaps: Record<string, number> = {}
    let crashes: readonly Crash[] = []
    const pair = await withPair(async (one) => {
      const { agent, receiver } = one
      const run = await crashingDuring(async () => {
        await sleep(500)
        kill(receiver.daemon.pid)
        gaps['receiver killed'] = await one.fallsBack()
        await sleep(500)
        await receiver.start()
        await one.usesSocket()
        await sleep(500)
        kill(receiver.daemon.pid, 'SIGTERM')
        gaps['receiver ended'] = await one.fallsBack()
        await receiver.daemon.ended
        await receiver.start()
        await one.usesSocket()
        kill(agent.daemon.pid)
        gaps['agent killed'] = await one.fallsBack()
        await sleep(500)
        await agent.start()
        await one.usesSocket()
        kill(agent.daemon.pid, 'SIGTERM')
        gaps['agent ended'] = await one.fallsBack()
        await agent.daemon.ended
        await agent.start()
        await one.usesSocket()
      })
      crashes = run.crashes
    })
    const entries = await pair.entriesOf(crashes)
    process.stderr.write(
      `${crashes.length} crashes: ${JSON.stringify(entries)}; ${JSON.stringify(gaps)}\n`,
    )
    expect(Math.max(...Object.values(gaps))).toBeLessThan(MAX_GAP_MS)
    expect(entries['socket']).toBeGreaterThan(0)
    expect(entries['pipe']).toBeGreaterThan(0)
    // only what was in flight when the receiver was killed
    expect((entries['lost'] ?? 0) + (entries['incomplete'] ?? 0)).toBeLessThanOrEqual(1)
  })

  test('end a receiver that does not read, and free what it held [receiver-2]', async () => {
    await withPair(async (one) => {
      const { pid } = one.receiver.daemon
      kill(pid, 'SIGSTOP')
      const held = spawn(testProgram('crasher'), ['-l', '0', '-m', '1'], { stdio: 'ignore' })
      const died = once(held, 'exit')
      await one.fallsBack(15_000)
      await died
      expect(await one.receiver.daemon.ended).toBe('SIGKILL')
      const agentLog = readFileSync(join(one.agent.directory, 'agent.log'), 'utf8')
      expect(agentLog).toMatch(/did not answer for 10 s and was killed/)
    })
  })

  test('serve again after both were killed at once [receiver-3]', async () => {
    await withPair(async (one) => {
      kill(one.receiver.daemon.pid)
      kill(one.agent.daemon.pid)
      await Promise.all([one.receiver.daemon.ended, one.agent.daemon.ended])
      await one.receiver.start()
      await one.agent.start()
      await one.usesSocket()
      const before = one.receiver.bundleNames.length
      await once(spawn(testProgram('crasher'), ['-l', '0'], { stdio: 'ignore' }), 'exit')
      await until('its bundle', () => one.receiver.bundleNames.length > before)
    })
  })

  test('leave a pattern that the configuration of the node sets, and report that crashes are lost', async () => {
    const agent = new Agent({
      RECEIVER_MODE: 'auto',
      KERNEL_MANAGED_BY: 'node',
      COMP_IGNORE_CRIO: 'true',
    })
    const receiver = new TestReceiver({}, agent)
    onTestFinished(async () => {
      await receiver.dispose()
      await agent.dispose()
    })
    await withKernel(async () => {
      await receiver.start()
      // as the configuration of the node does before any pod runs
      setCoreSysctl('kernel.core_pattern', receiver.pattern)
      agent.launch()
      await until('crashes come through the socket', () =>
        agent.output.includes('"entry":"socket"'),
      )
      await once(spawn(testProgram('crasher'), ['-l', '0'], { stdio: 'ignore' }), 'exit')
      await until('its bundle', () => receiver.bundleNames.length > 0)
      receiver.kill()
      await receiver.daemon.ended
      await until('crashes are lost', () => agent.output.includes('"entry":"none"'))
      await receiver.start()
      await agent.daemon.stop()
      await receiver.daemon.stop()
      // it can be repeated once the configuration has another pattern
      expect(await agent.command('remove')).toMatchObject({ code: 1 })
      expect(coreSysctls()['kernel.core_pattern']).toBe(receiver.pattern)
    })
  })
})
