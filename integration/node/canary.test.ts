import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { whyNoSockets } from '@core-dump-handler/testing/kernel/core-sockets'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'

const AGENT = new URL('../../apps/agent/bin/agent.js', import.meta.url).pathname

realParts('the canary of a prepared node', () => {
  test('becomes a bundle through the real kernel, and no file of it remains', async () => {
    const agent = newAgent({ CANARY: 'true', COMP_CORE_EVENTS: 'true' })
    await withKernel(async () => {
      const daemon = await agent.start()
      await until('the canary came', () => daemon.output().includes('this node is prepared'))
      expect(agent.output).toContain('a process that crashed for a test became a bundle')
      expect(readdirSync(join(agent.hostDir, 'events'))).toEqual([])
      await daemon.stop()
      expect(await agent.command('remove')).toMatchObject({ code: 0 })
    })
    expect(agent.waiting).toEqual([])
  })

  test('does not arrive where the kernel cannot run the composer, and the settings are restored [node-8]', async () => {
    const agent = newAgent()
    mkdirSync(agent.hostDir)
    await withKernel(async (before) => {
      // a mount that the agent sees and the kernel, in the first mount namespace, does not
      const hidden = 'mount -t tmpfs none "$HOST_DIR" && exec "$@"'
      const env = {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        HOST_DIR: agent.hostDir,
        CORE_DIR: agent.coreDir,
        RECEIVER_MODE: 'auto',
      }
      const args = ['--mount', 'sh', '-c', hidden, 'sh', process.execPath, AGENT]
      const failed = await execa('unshare', args, {
        env,
        extendEnv: false,
        timeout: 60_000,
        reject: false,
      })
      expect(failed).toMatchObject({ exitCode: 1 })
      expect(failed.stderr).toMatch(
        /"CANARY".*the agent can run .*cdc` and the kernel cannot: .*log contains: .*pipe failed.*pattern is back in force/,
      )
      // a receiver would work
      const advice = 'set KERNEL_MANAGED_BY to init-container or node'
      expect(failed.stderr.includes(advice)).toBe(whyNoSockets() === undefined)
      expect(coreSysctls()).toEqual(before)
    })
  })
})

function newAgent(env: Record<string, string> = {}): Agent {
  const agent = new Agent({ INTERVAL: '60000', ...env })
  agent.set({ DESTINATION: `file:${agent.directory}/out` })
  onTestFinished(() => agent.dispose())
  return agent
}
