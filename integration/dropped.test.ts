import { expect, onTestFinished, test } from 'vitest'
import { Agent } from './harness/agent.ts'
import { runToDeath } from './harness/host-victim.ts'
import { setCoreSysctl, withKernel } from './harness/kernel.ts'
import { freePorts } from './harness/ports.ts'
import { realParts } from './harness/requirements.ts'
import { until } from './harness/until.ts'
import { victim } from './harness/victims.ts'

realParts('a core that the kernel drops', () => {
  test('because too many are dumped at once is said, counted and shown by status', async () => {
    const port = await freePorts()
    const agent = new Agent({
      INTERVAL: '60000',
      TAMPER: 'report',
      COMP_IGNORE_CRIO: 'true',
      HEALTH_PORT: String(port),
    })
    onTestFinished(() => agent.dispose())
    await withKernel(async () => {
      await agent.start()
      await until('it looks after the node', () => agent.output.includes('this node is prepared'))
      setCoreSysctl('kernel.core_pipe_limit', '1')
      const dying = Array.from({ length: 6 }, async () =>
        runToDeath(victim('crasher'), ['-m', '16']),
      )
      await Promise.all(dying)
      await until('the drop is said', () => agent.output.includes('the kernel dropped a core'))
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      expect(metrics).toMatch(/core_dump_drops_total\{reason="CORE_PIPE_LIMIT"\} [1-9]/)
      const { output } = await agent.command('status')
      expect(output).toMatch(/kernel: dropped [1-9]\d* cores over core_pipe_limit/)
      await agent.daemon.stop()
      expect(await agent.command('remove')).toMatchObject({ code: 0 })
    })
  })
})
