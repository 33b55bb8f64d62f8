import { expect, onTestFinished, test } from 'vitest'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { crashBarrier } from '@core-dump-handler/testing/kernel/barrier'
import { received } from '@core-dump-handler/testing/receiver/received'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

coreSockets('the receiver and pods', () => {
  test('proves whose crash it was, and keeps the log of the container', async () => {
    const containerd = await new Containerd('2').start()
    onTestFinished(() => containerd.stop())
    let hostPid = 0
    const receiver = await received(
      {
        CRI_ENDPOINT: `unix://${containerd.socket}`,
        INCLUDE_PROC_INFO: 'true',
        FILENAME_TEMPLATE: '{namespace}-{podname}-{hostname}-{signal}',
      },
      async (one) => {
        const barrier = crashBarrier(one.directory)
        const pod = await runPod(containerd, {
          name: 'web',
          containers: [{ args: ['-m', '2', ...barrier.podArgs], mounts: barrier.mounts }],
        })
        try {
          hostPid = await pod.hostPid()
          barrier.open()
          await one.bundleOf(hostPid)
        } finally {
          await pod.remove()
        }
      },
      60_000,
    )
    const bundle = await receiver.bundleOf(hostPid)
    const { manifest, name } = bundle
    expect(manifest).toMatchObject({
      entry: 'socket',
      identity: { status: 'verified' },
      crash: { hostPid, signal: 11 },
      core: { complete: true },
    })
    expect(manifest.problems).toEqual([])
    expect(manifest.identity.pod).toContain('web')
    expect(manifest.crash.pid).toBeLessThan(hostPid)
    expect(name).toContain(`-${manifest.identity.pod}-`)
    expect(bundle.entries.filter((entry) => entry.startsWith('-process/')).toSorted()).toEqual(
      ['auxv', 'cmdline', 'environ', 'maps', 'status'].map((file) => `-process/${file}`),
    )
    await until('the log', async () => (await bundle.text('-0.log')).includes('line'))
  })
})
