import { describe, expect } from 'vitest'
import { type CrowdedPod, crowdedPod } from '@core-dump-handler/testing/composer/crowded-pod'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { type Running, startComposer, test } from '@core-dump-handler/testing/composer/run-composer'
import { until } from '@core-dump-handler/testing/until'

const CORE = elfCore(200_000)

function start({ args, env }: CrowdedPod): Running {
  const limits = { CRI_CALL_TIMEOUT_MS: '500', CRI_TOTAL_TIMEOUT_MS: '1500' }
  return startComposer({ args, core: CORE, env: { ...env, ...limits } })
}

describe('composer, when a limit cut its lookup short', () => {
  test.for(['ContainerStatus', 'PodSandboxStatus', 'ListContainers'])(
    'G9: asks once more after the release: %s',
    async (method, { dir }) => {
      const hangs = [method]
      using pod = await crowdedPod(dir, 2, { hangs })
      const running = start(pod)
      await until(`${method} was called`, () => pod.server.calls.includes(method))
      hangs.pop()
      expect((await running.ended).code).toBe(0)
      const { manifest, entries } = await onlyBundle(pod.cores)
      expect(manifest.identity).toMatchObject({ status: 'verified', pod: 'web', container: 'c0' })
      expect(entries.filter((entry) => /-\d+\.log$/.test(entry))).toHaveLength(2)
      const codes = manifest.problems.map(({ code }) => code)
      expect(codes.filter((code) => code === 'LOOK_UP_REPEATED')).toHaveLength(1)
      expect(codes).not.toContain('CRI_TIMEOUT')
      const message = manifest.problems.find(({ code }) => code === 'LOOK_UP_REPEATED')?.message
      expect(message).toMatch(/^Asked the runtime once more, within 1500 ms a call: .*500 ms/)
      expect(manifest.timings.heldMs).toBeLessThan(manifest.timings.totalMs - 500)
      expect(manifest.timings.lookupMs).toBeGreaterThanOrEqual(500)
    },
  )

  test('G9: asks no third time, and reports both', async ({ dir }) => {
    using pod = await crowdedPod(dir, 1, { hangs: ['ContainerStatus'] })
    await start(pod).ended
    expect(pod.server.calls.filter((call) => call === 'ContainerStatus')).toHaveLength(2)
    const { manifest } = await onlyBundle(pod.cores)
    expect(manifest.core).toMatchObject({ complete: true, bytes: CORE.length })
    expect(manifest.identity).toMatchObject({ status: 'unverified' })
    const codes = manifest.problems.map(({ code }) => code)
    expect(codes).toEqual(expect.arrayContaining(['LOOK_UP_REPEATED', 'CRI_TIMEOUT']))
    const { totalMs, lookupMs } = manifest.timings
    expect(lookupMs).toBeGreaterThan(1900)
    expect(totalMs).toBeLessThan(6000)
  })

  test('G9: does not ask again once the time for everything is over', async ({ dir }) => {
    using pod = await crowdedPod(dir, 1, { hangs: ['ContainerStatus'] })
    const env = { ...pod.env, CRI_CALL_TIMEOUT_MS: '3000', TIMEOUT: '1' }
    expect((await startComposer({ args: pod.args, core: CORE, env }).ended).code).toBe(32)
    expect(pod.server.calls).toEqual(['ContainerStatus'])
    const { manifest } = await onlyBundle(pod.cores)
    expect(manifest.problems.map(({ code }) => code)).not.toContain('LOOK_UP_REPEATED')
  })
})
