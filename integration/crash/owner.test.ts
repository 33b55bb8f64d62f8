import { expect, onTestFinished, test } from 'vitest'
import type { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { UNTAGGED_IMAGE } from '@core-dump-handler/testing/containerd/containerd'
import { backtrace } from '@core-dump-handler/testing/bundle/core'
import { crashBarrier } from '@core-dump-handler/testing/kernel/barrier'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import {
  runPod,
  type ContainerSpec,
  type Pod,
  type PodSpec,
} from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { storeAndRuntime } from '@core-dump-handler/testing/agent/test-node'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

realParts('the owner of a crash', () => {
  const parts = storeAndRuntime()

  function prepareNode(): TestNode {
    const node = new TestNode(parts)
    onTestFinished(() => node.dispose())
    return node
  }

  async function startPod(spec: PodSpec): Promise<Pod> {
    const pod = await runPod(parts.containerd, spec)
    onTestFinished(() => pod.remove())
    return pod
  }

  /** Crash one pod and return the bundle that is its. */
  async function crashPod(name: string, container: ContainerSpec): Promise<[Bundle, Pod]> {
    const node = prepareNode()
    return node.prepared(async () => {
      const pod = await startPod({ name, containers: [container] })
      const bundle = await node.bundles.one(({ manifest }) => manifest.identity.podUid === pod.uid)
      return [bundle, pod]
    })
  }

  test('is the container of a forked child, which continues [identity-1]', async () => {
    const [bundle, pod] = await crashPod('forks', { args: ['-f'] })
    expect(bundle.manifest.identity).toMatchObject({
      status: 'verified',
      pod: 'forks',
      container: 'main',
      containerId: pod.containerIds[0],
    })
    expect(bundle.manifest.crash.pid).toBeGreaterThan(1)
    const { status } = await parts.containerd.runtime.call('ContainerStatus', {
      containerId: pod.containerIds[0] ?? '',
    })
    expect(status.state).toBe('CONTAINER_RUNNING')
    expect(await backtrace(testProgram('crasher'), await bundle.extractCore())).toMatch(
      /crash_here[^]*crash_in_child/,
    )
  })

  test('is the process of a thread [identity-1]', async () => {
    const [bundle] = await crashPod('threads', { args: ['-t'] })
    const { crash, identity } = bundle.manifest
    expect(identity).toMatchObject({ status: 'verified', pod: 'threads' })
    expect(crash.comm).toBe('crash-thread')
    expect(crash.exe).toBe('/bin/crasher')
    expect(crash.tid).not.toBe(crash.hostPid)
    expect(await backtrace(testProgram('crasher'), await bundle.extractCore())).toMatch(
      /crash_here[^]*crash_in_thread/,
    )
  })

  test('is the right one of two pods with one host name in two namespaces that crash at once [identity-2, attack-2, B11]', async () => {
    const node = prepareNode()
    const { podArgs, mounts, open } = crashBarrier(node.agent.directory)
    const containers = [{ args: podArgs, mounts }]
    const pods = [
      await startPod({ name: 'twin', namespace: 'left', containers }),
      await startPod({ name: 'twin', namespace: 'right', containers }),
    ]
    const bundles = await node.prepared(async () => {
      open()
      return node.bundles.collect(({ manifest }) => manifest.identity.pod === 'twin', 2)
    })
    const owners = bundles.map(({ manifest: { identity } }) => identity)
    expect(owners.map(({ status }) => status)).toEqual(['verified', 'verified'])
    expect(new Set(owners.map(({ namespace, podUid }) => `${namespace} ${podUid}`))).toEqual(
      new Set(pods.map(({ namespace, uid }) => `${namespace} ${uid}`)),
    )
    expect(new Set(bundles.map(({ entries }) => entries[0]?.name)).size).toBe(2)
  })

  test('is verified for a container without a repo digest', async () => {
    const [bundle] = await crashPod('untagged', { image: UNTAGGED_IMAGE, args: [] })
    expect(bundle.manifest.problems).toEqual([])
    expect(bundle.manifest.identity).toMatchObject({
      status: 'verified',
      image: UNTAGGED_IMAGE,
      imageRef: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
  })

  test('is its own pod for each of ten that crash at once', async () => {
    const node = prepareNode()
    const { podArgs, mounts, open } = crashBarrier(node.agent.directory)
    const names = Array.from({ length: 10 }, (_, index) => `herd-${index}`)
    const pods = await Promise.all(
      names.map((name) =>
        startPod({ name, containers: [{ args: [...podArgs, '-m', '2'], mounts }] }),
      ),
    )
    const uids = new Map(pods.map(({ uid, name }) => [uid, name]))
    const bundles = await node.prepared(async () => {
      open()
      return node.bundles.collect(({ manifest }) => uids.has(manifest.identity.podUid ?? ''), 10)
    })
    expect(bundles).toHaveLength(10)
    expect(new Set(bundles.map(({ manifest }) => manifest.identity.podUid)).size).toBe(10)
    for (const { manifest } of bundles) {
      expect(manifest.identity).toMatchObject({
        status: 'verified',
        pod: uids.get(manifest.identity.podUid ?? ''),
      })
      expect(manifest.core.complete).toBe(true)
    }
  })
})
