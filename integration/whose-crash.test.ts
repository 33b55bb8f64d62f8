import { expect, onTestFinished, test } from 'vitest'
import type { Bundle } from './harness/bundle.ts'
import { UNTAGGED_IMAGE } from './harness/containerd.ts'
import { backtrace } from './harness/core.ts'
import { gate } from './harness/gate.ts'
import { TestNode } from './harness/node.ts'
import { runPod, type ContainerSpec, type Pod, type PodSpec } from './harness/pod.ts'
import { realParts } from './harness/requirements.ts'
import { sharedRig } from './harness/rig.ts'
import { victim } from './harness/victims.ts'

realParts('whose crash it was', () => {
  const rig = sharedRig()

  function prepareNode(): TestNode {
    const node = new TestNode(rig)
    onTestFinished(() => node.dispose())
    return node
  }

  async function startPod(spec: PodSpec): Promise<Pod> {
    const pod = await runPod(rig.containerd, spec)
    onTestFinished(() => pod.remove())
    return pod
  }

  /** Crash one pod and return the bundle that is its. */
  async function crashPod(name: string, container: ContainerSpec): Promise<[Bundle, Pod]> {
    const node = prepareNode()
    return node.prepared(async () => {
      const pod = await startPod({ name, containers: [container] })
      const bundle = await node.inbox.one(({ manifest }) => manifest.identity.podUid === pod.uid)
      return [bundle, pod]
    })
  }

  test('a forked child that crashes is its container, which lives on', async () => {
    const [bundle, pod] = await crashPod('forks', { args: ['-f'] })
    expect(bundle.manifest.identity).toMatchObject({
      status: 'verified',
      pod: 'forks',
      container: 'main',
      containerId: pod.containerIds[0],
    })
    expect(bundle.manifest.crash.pid).toBeGreaterThan(1)
    const { status } = await rig.containerd.runtime.ContainerStatus({
      containerId: pod.containerIds[0] ?? '',
    })
    expect(status.state).toBe('CONTAINER_RUNNING')
    expect(await backtrace(victim('crasher'), await bundle.extractCore())).toMatch(
      /crash_here[^]*crash_in_child/,
    )
  })

  test('a thread that crashes is its process', async () => {
    const [bundle] = await crashPod('threads', { args: ['-t'] })
    const { crash, identity } = bundle.manifest
    expect(identity).toMatchObject({ status: 'verified', pod: 'threads' })
    expect(crash.comm).toBe('crash-thread')
    expect(crash.exe).toBe('/bin/crasher')
    expect(crash.tid).not.toBe(crash.hostPid)
    expect(await backtrace(victim('crasher'), await bundle.extractCore())).toMatch(
      /crash_here[^]*crash_in_thread/,
    )
  })

  test('two pods of one host name in two namespaces are told apart, crashing at once', async () => {
    const node = prepareNode()
    const { podArgs, mounts, open } = gate(node.agent.directory)
    const containers = [{ args: podArgs, mounts }]
    const pods = [
      await startPod({ name: 'twin', namespace: 'left', containers }),
      await startPod({ name: 'twin', namespace: 'right', containers }),
    ]
    const bundles = await node.prepared(async () => {
      open()
      return node.inbox.collect(({ manifest }) => manifest.identity.pod === 'twin', 2)
    })
    const owners = bundles.map(({ manifest: { identity } }) => identity)
    expect(owners.map(({ status }) => status)).toEqual(['verified', 'verified'])
    expect(new Set(owners.map(({ namespace, podUid }) => `${namespace} ${podUid}`))).toEqual(
      new Set(pods.map(({ namespace, uid }) => `${namespace} ${uid}`)),
    )
    expect(new Set(bundles.map(({ entries }) => entries[0]?.name)).size).toBe(2)
  })

  test('a container without a repo digest is verified by what the runtime knows', async () => {
    const [bundle] = await crashPod('untagged', { image: UNTAGGED_IMAGE, args: [] })
    expect(bundle.manifest.problems).toEqual([])
    expect(bundle.manifest.identity).toMatchObject({
      status: 'verified',
      image: UNTAGGED_IMAGE,
      imageRef: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
  })

  test('ten that crash at once become ten bundles, each of its own pod', async () => {
    const node = prepareNode()
    const { podArgs, mounts, open } = gate(node.agent.directory)
    const names = Array.from({ length: 10 }, (_, index) => `herd-${index}`)
    const pods = await Promise.all(
      names.map((name) =>
        startPod({ name, containers: [{ args: [...podArgs, '-m', '2'], mounts }] }),
      ),
    )
    const uids = new Map(pods.map(({ uid, name }) => [uid, name]))
    const bundles = await node.prepared(async () => {
      open()
      return node.inbox.collect(({ manifest }) => uids.has(manifest.identity.podUid ?? ''), 10)
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
