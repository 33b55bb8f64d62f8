import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { startProgram } from '@core-dump-handler/testing/program'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'

const AGENT = new URL('../../apps/agent/bin/agent.js', import.meta.url).pathname

realParts('two agents on one node', () => {
  test('do not both set the pattern when they see different directories', async () => {
    const first = newAgent()
    const second = newAgent()
    const port = await freePorts()
    await withKernel(async () => {
      await first.start()
      const pattern = coreSysctls()['kernel.core_pattern']
      // as a pod: of the node it sees its own directories and the files of the sysctls
      const hidden = 'mount -t tmpfs none "$HIDDEN" && exec "$@"'
      const daemon = startProgram(
        'unshare',
        ['--mount', 'sh', '-c', hidden, 'sh', process.execPath, AGENT],
        {
          log: join(second.directory, 'agent.log'),
          env: {
            PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
            HIDDEN: first.directory,
            HOST_DIR: second.hostDir,
            CORE_DIR: second.coreDir,
            HEALTH_PORT: String(port),
            CANARY: 'false',
          },
        },
      )
      try {
        await until('the second says that it waits', () =>
          daemon.output().includes('another agent is at work on this node'),
        )
        const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
        expect([ready.status, await ready.text()]).toEqual([
          503,
          expect.stringContaining('it has locked `/proc/sys/kernel/core_pattern`'),
        ])
        expect(coreSysctls()['kernel.core_pattern']).toBe(pattern)

        await first.daemon.stop()
        expect(await first.command('remove')).toMatchObject({ code: 0 })
        await until('the second takes over', () => daemon.output().includes('is prepared'))
        expect(coreSysctls()['kernel.core_pattern']).toContain(`|${second.hostDir}/cdc `)
        expect(await second.command('remove')).toMatchObject({ code: 0 })
      } finally {
        await daemon.stop()
      }
    })
  })
})

function newAgent(): Agent {
  const agent = new Agent({ INTERVAL: '60000' })
  onTestFinished(() => agent.dispose())
  return agent
}
