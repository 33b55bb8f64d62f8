import { existsSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import type { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { crashBarrier } from '@core-dump-handler/testing/kernel/barrier'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { storeAndRuntime } from '@core-dump-handler/testing/agent/test-node'

const LIMIT_MS = 3_000
const NOTHING = async (): Promise<void> => {}

realParts('a crash while the container runtime fails', () => {
  const parts = storeAndRuntime()

  /** Crash a pod after `breakRuntime`; it is mended before the pod is removed. */
  async function crash(
    breakRuntime: () => Promise<void>,
    mend: () => Promise<void>,
    env: Record<string, string> = {},
  ): Promise<Bundle> {
    const limits = { COMP_CRI_CALL_TIMEOUT_MS: '1000', COMP_CRI_TOTAL_TIMEOUT_MS: `${LIMIT_MS}` }
    const node = new TestNode({ ...parts, env: { ...limits, ...env } })
    onTestFinished(() => node.dispose())
    const { podArgs, mounts, open } = crashBarrier(node.agent.directory)
    const containers = [{ args: [...podArgs, '-m', '4'], mounts }]
    const pod = await runPod(parts.containerd, { name: 'orphan', containers })
    onTestFinished(() => pod.remove())
    const hostPid = await pod.hostPid()
    await breakRuntime()
    onTestFinished(mend)
    return node.prepared(async () => {
      open()
      return node.bundles.one(({ manifest }) => manifest.crash.hostPid === hostPid)
    })
  }

  test('is kept when the runtime is down, with a warning [composer-22]', async () => {
    const bundle = await crash(
      async () => void (await parts.containerd.daemon.stop()),
      () => parts.containerd.launch(),
    )
    expectUnverified(bundle)
  })

  test('is kept after the time limit when the runtime hangs [composer-21]', async () => {
    const { pid } = parts.containerd.daemon
    const bundle = await crash(
      async () => void process.kill(pid, 'SIGSTOP'),
      async () => void process.kill(pid, 'SIGCONT'),
    )
    expectUnverified(bundle)
  })

  test('is kept when there is no socket, with the paths that were tried [composer-22]', async () => {
    const nowhere = `${parts.containerd.directory}/nowhere.sock`
    expect(existsSync(nowhere)).toBe(false)
    const bundle = await crash(NOTHING, NOTHING, { CRIO_ENDPOINT: `unix://${nowhere}` })
    expectUnverified(bundle)
    expect(JSON.stringify(bundle.manifest.problems)).toContain(nowhere)
  })
})

/** The core is whole, the process was not kept waiting, and no owner is made up. */
function expectUnverified({ manifest }: Bundle): void {
  expect(manifest.identity.status).toBe('unverified')
  expect(manifest.identity.reason).toBeTruthy()
  expect(manifest.identity.pod).toBeUndefined()
  expect(manifest.problems.map(({ code }) => code).join()).toMatch(/CRI/)
  expect(manifest.core.complete).toBe(true)
  expect(manifest.timings.lookupMs).toBeLessThan(LIMIT_MS + 2_000)
  expect(manifest.timings.heldMs).toBeLessThan(LIMIT_MS)
}
