import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { coreSysctls, setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'
import { withPair } from './pair.ts'

const kill = (pid: number, signal: NodeJS.Signals = 'SIGKILL'): boolean => process.kill(pid, signal)

coreSockets('an agent and its receiver', () => {
  test('end a receiver that does not read, and use the next one, which stores what it held [receiver-2]', async () => {
    await withPair(async (one) => {
      const { pid } = one.receiver.daemon
      kill(pid, 'SIGSTOP')
      const held = spawn(testProgram('crasher'), ['-l', '0', '-m', '1'], { stdio: 'ignore' })
      const died = once(held, 'exit')
      await one.fallsBack(15_000)
      expect(await one.receiver.daemon.ended).toBe('SIGKILL')
      const agentLog = readFileSync(join(one.agent.directory, 'agent.log'), 'utf8')
      expect(agentLog).toMatch(/did not answer for 10 s and was killed/)
      // as the kubelet does
      await one.receiver.start()
      expect(one.receiver.daemon.pid).not.toBe(pid)
      await died
      expect((await one.receiver.bundleOf(held.pid ?? 0)).manifest.core.complete).toBe(true)
      await one.usesSocket()
      const next = await runUntilCrash(testProgram('crasher'), ['-l', '0', '-m', '1'])
      const { manifest } = await one.receiver.bundleOf(next)
      expect(manifest).toMatchObject({ entry: 'socket', core: { complete: true } })
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

  test.for([
    { mode: 'auto', isReady: true },
    { mode: 'required', isReady: false },
  ])(
    'use the composer on a kernel without coredump sockets; ready with $mode: $isReady [receiver-32]',
    async ({ mode, isReady }) => {
      const port = await freePorts()
      const agent = new Agent({
        RECEIVER_MODE: mode,
        HEALTH_PORT: String(port),
        COMP_IGNORE_CRIO: 'true',
      }).withCoreModes(['file', 'pipe'])
      const receiver = new TestReceiver({}, agent)
      onTestFinished(async () => {
        await receiver.dispose()
        await agent.dispose()
      })
      await withKernel(async () => {
        await receiver.start()
        await agent.start()
        try {
          const why = 'has no coredump sockets, only file, pipe (core_modes)'
          const text = await until('the reason', async () => {
            const answer = await readyz(port)
            return answer.text.includes(why) && answer
          })
          expect(text.ok).toBe(isReady)
          const pid = await runUntilCrash(testProgram('crasher'), ['-l', '0'])
          expect((await receiver.bundleOf(pid)).manifest.entry).toBe('pipe')
          // of its own it is ready: it listens
          expect(await receiver.check()).toBe(0)
        } finally {
          await agent.command('remove')
        }
      })
    },
  )
})

async function readyz(port: number): Promise<{ readonly ok: boolean; readonly text: string }> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined)
  return { ok: answer?.ok === true, text: (await answer?.text()) ?? '' }
}
