import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { Release } from '../cluster/release.ts'
import { installRelease } from '../cluster/with-release.ts'
import { crashing, idle, podOf } from '../cluster/workloads.ts'
import type { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { CRASHER_IMAGE } from '@core-dump-handler/testing/containerd/containerd'
import { BundleCollector } from '@core-dump-handler/testing/bundle/bundle-collector'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

realParts('the owner of a crash under a real kubelet', () => {
  let store: ObjectStore
  let cluster: Cluster
  let release: Release
  let bundles: BundleCollector
  let uninstall: (() => Promise<void>) | undefined

  beforeAll(async () => {
    store = await startVersitygw()
    cluster = await new Cluster().start()
    release = new Release(cluster, store)
    bundles = new BundleCollector(store, join(release.directory, 'bundles'))
    await release.importImage()
    uninstall = await installRelease(cluster, release)
  }, 900_000)

  afterAll(async () => {
    await uninstall?.()
    await cluster.stop()
    release.dispose()
    await store.stop()
  })

  test('is the init container that crashes while its pod starts [identity-14]', async () => {
    await cluster.apply(
      podOf('starter', { initContainers: [crashing('migrate')], containers: [idle('main')] }),
    )
    const { identity } = (await bundleOf('migrate')).manifest
    expect(identity).toEqual({
      ...provenAs('starter', 'migrate'),
      podUid: await cluster.field('pod/starter', '.metadata.uid'),
    })
    expect(
      await cluster.field('pod/starter', '.status.containerStatuses[0].state.waiting.reason'),
    ).toBe('PodInitializing')
  })

  test('is the ephemeral container that crashes beside its target [identity-15]', async () => {
    await cluster.apply(podOf('patient', { containers: [idle('main')] }))
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/patient', '--timeout=60s')
    const { args = [] } = crashing('probe')
    const image = [`--image=${CRASHER_IMAGE}`, '--image-pull-policy=Never']
    const debug = ['debug', 'patient', '--target=main', '--container=probe', ...image]
    await cluster.kubectl(...debug, '--', '/bin/crasher', ...args)
    const { identity } = (await bundleOf('probe')).manifest
    expect(identity).toEqual({
      ...provenAs('patient', 'probe'),
      podUid: await cluster.field('pod/patient', '.metadata.uid'),
    })
    expect(await cluster.field('pod/patient', '.status.phase')).toBe('Running')
  })

  test('is the mirror pod’s name and the kubelet’s uid for a static pod [identity-16]', async () => {
    const path = join(cluster.manifests, 'guard.json')
    const spec = { containers: [crashing('lamp')] }
    writeFileSync(path, JSON.stringify(podOf('guard', spec, 'kube-system')))
    onTestFinished(() => rmSync(path))
    const { identity, uuid } = (await bundleOf('lamp')).manifest
    const [name, namespace] = ['guard-localhost', 'kube-system']
    const field = (jsonPath: string): Promise<string> =>
      cluster.field(`pod/${name}`, jsonPath, namespace)
    await until('its mirror pod', () => field('.metadata.uid'))
    const podUid = await field('.metadata.annotations.kubernetes\\.io/config\\.hash')
    expect(podUid).toMatch(/^[0-9a-f]{32}$/)
    expect(await field('.metadata.uid')).not.toBe(podUid)
    expect(identity).toEqual({ ...provenAs(name, 'lamp'), namespace, podUid })
    // the kubelet's own events bear that uid, so kubectl looks for it
    await until('an event that kubectl finds', async () =>
      (await cluster.kubectl('describe', 'pod', name, '-n', namespace)).includes(uuid),
    )
  })

  test('is the pod for its pause process, and the kubelet restarts the pod [identity-17]', async () => {
    const spec = { containers: [idle('main')], restartPolicy: 'Always' }
    await cluster.apply(podOf('shaken', spec))
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/shaken', '--timeout=60s')
    const podUid = await cluster.field('pod/shaken', '.metadata.uid')
    const pid = sandboxPid(podUid)
    process.kill(pid, 'SIGUSR1')
    const { identity } = (await bundles.one(({ manifest }) => manifest.crash.hostPid === pid))
      .manifest
    expect(identity).toEqual({
      status: 'verified',
      reason: expect.stringContaining('in the sandbox of the pod (its pause process'),
      containerId: expect.stringMatching(/^[0-9a-f]{64}$/),
      pod: 'shaken',
      namespace: 'default',
      podUid,
    })
    await until('its container was started again', async () =>
      Number(await cluster.field('pod/shaken', '.status.containerStatuses[0].restartCount')),
    )
  })

  function bundleOf(container: string): Promise<Bundle> {
    return bundles.one(({ manifest }) => manifest.identity.container === container)
  }

  /** The identity of a container of the test's image. */
  function provenAs(pod: string, container: string): object {
    return {
      status: 'verified',
      containerId: expect.stringMatching(/^[0-9a-f]{64}$/),
      container,
      pod,
      namespace: 'default',
      image: CRASHER_IMAGE,
      imageRef: `test.local/crasher@${cluster.containerd.crasherDigest}`,
      restartCount: 0,
    }
  }
})

/** The pid on this machine of the process that holds the namespaces of a pod. */
function sandboxPid(podUid: string): number {
  const found = globSync('/proc/[0-9]*/cmdline').find((path) => {
    try {
      const isPause = readFileSync(path, 'latin1') === '/pause\0'
      return isPause && readFileSync(path.replace('cmdline', 'cgroup'), 'utf8').includes(podUid)
    } catch {
      return false // it has ended
    }
  })
  if (!found) throw new Error(`no pause process of pod ${podUid}`)
  return Number(found.split('/')[2])
}
