import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from './harness/agent.ts'
import { coreSysctls, withKernel } from './harness/kernel.ts'
import { run } from './harness/program.ts'
import { realParts } from './harness/requirements.ts'
import { until } from './harness/until.ts'

const AGENT = new URL('../apps/agent/bin/agent.js', import.meta.url).pathname

realParts('the canary of a node that was just prepared', () => {
  test('becomes a bundle of the real kernel, and nothing of it is left', async () => {
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

  test('does not come where the kernel alone cannot run the composer: all is given back', async () => {
    const agent = newAgent()
    mkdirSync(agent.hostDir)
    await withKernel(async (before) => {
      // a mount that the agent sees and the kernel, in the first mount namespace, does not
      const hidden = 'mount -t tmpfs none "$HOST_DIR" && exec "$@"'
      const env = {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        HOST_DIR: agent.hostDir,
        CORE_DIR: agent.coreDir,
      }
      const args = ['--mount', 'sh', '-c', hidden, 'sh', process.execPath, AGENT]
      const failed = await run('unshare', args, { env, timeout: 60_000 }).catch(
        (error: { code: number; stderr: string }) => error,
      )
      expect(failed).toMatchObject({ code: 1 })
      expect(failed.stderr).toMatch(
        /"CANARY".*the agent can run .*cdc` and the kernel cannot: .*log contains: .*pipe failed.*pattern is back in force/,
      )
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
