import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

realParts('a core dropped by the kernel', () => {
  test('is logged, counted and shown by status', async () => {
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
        runUntilCrash(testProgram('crasher'), ['-m', '16']),
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
