import { statSync } from 'node:fs'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { storeAndRuntime } from '@core-dump-handler/testing/agent/test-node'
import { until } from '@core-dump-handler/testing/until'

realParts('a process killed while it dumps', () => {
  const parts = storeAndRuntime()

  test('has a bundle marked incomplete, with the reason [B19]', async () => {
    const node = new TestNode(parts)
    onTestFinished(() => node.dispose())

    const bundle = await node.prepared(async () => {
      const pod = await runPod(parts.containerd, {
        name: 'impatient',
        containers: [{ args: ['-m', '256'] }],
      })
      onTestFinished(() => pod.remove())
      // hold the composer in mid-drain, as a slow disk would
      const composer = await until('a composer is draining', () => {
        const started = node.agent.waiting
          .filter((name) => name.endsWith('.part'))
          .some((name) => statSync(join(node.agent.coreDir, name)).size > 1 << 20)
        return started && node.composers()[0]
      })
      process.kill(composer.pid, 'SIGSTOP')
      try {
        process.kill(composer.hostPid, 'SIGKILL')
        await until('the process has ended', () => !alive(composer.hostPid))
      } finally {
        process.kill(composer.pid, 'SIGCONT')
      }
      return node.bundles.one(({ manifest }) => manifest.identity.podUid === pod.uid)
    })

    const { core, identity } = bundle.manifest
    expect(identity).toMatchObject({ status: 'verified', pod: 'impatient' })
    expect(core.complete).toBe(false)
    expect(core.reason).toBeTruthy()
    expect(core.bytes).toBeGreaterThan(1 << 20)
    expect(core.bytes).toBeLessThan(core.expectedBytes ?? 0)
    expect(bundle.entry('.core').bytes).toBe(core.bytes)
  })
})

function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
