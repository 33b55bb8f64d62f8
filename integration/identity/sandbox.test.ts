import { expect, onTestFinished, test } from 'vitest'
import { CONTAINERD_VERSIONS } from '@core-dump-handler/testing/containerd/containerd-config'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

realParts('a crash of a pod’s pause process', () => {
  test.for(CONTAINERD_VERSIONS)(
    'is the pod’s and no container’s in containerd %s [identity-17]',
    async (version) => {
      const store = await startVersitygw()
      onTestFinished(() => store.stop())
      const containerd = new Containerd(version)
      onTestFinished(() => containerd.stop())
      await containerd.start()
      const node = new TestNode({ store, containerd })
      onTestFinished(() => node.dispose())
      const containers = [{ args: ['-l', '2', '-w', '600000'] }]
      const pod = await runPod(containerd, { name: 'quiet', namespace: 'shop', containers })
      onTestFinished(() => pod.remove())

      const bundle = await node.prepared(async () => {
        const pid = await pod.sandboxPid()
        process.kill(pid, 'SIGUSR1')
        return node.bundles.one(({ manifest }) => manifest.crash.hostPid === pid)
      })
      const { identity, crash, core, problems } = bundle.manifest
      expect(crash).toMatchObject({ signalName: 'SIGSEGV', comm: 'pause', exe: '/pause', pid: 1 })
      expect(core.complete).toBe(true)
      expect(identity).toEqual({
        status: 'verified',
        reason: expect.stringContaining('in the sandbox of the pod (its pause process'),
        containerId: pod.sandboxId,
        pod: 'quiet',
        namespace: 'shop',
        podUid: pod.uid,
      })
      expect(problems).toEqual([])
      // the pod's containers are around it, and live on
      expect(await bundle.json('-pod-info.json')).toMatchObject({ id: pod.sandboxId })
      expect(await bundle.json('-ps-info.json')).toMatchObject({
        containers: [{ id: pod.containerIds[0] }],
      })
      const [containerId = ''] = pod.containerIds
      const { status } = await containerd.runtime.call('ContainerStatus', { containerId })
      expect(status.state).toBe('CONTAINER_RUNNING')
    },
  )
})
