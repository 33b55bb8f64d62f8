import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from './cluster/cluster.ts'
import { Release } from './cluster/release.ts'
import { withRelease } from './cluster/with-release.ts'
import { crashing, deployment, looping, podOf } from './cluster/workloads.ts'
import { CRASHER_IMAGE } from './harness/containerd.ts'
import { Inbox } from './harness/inbox.ts'
import { promisedBytes } from './harness/core.ts'
import { runToDeath } from './harness/host-victim.ts'
import { coreSysctls } from './harness/kernel.ts'
import type { ObjectStore } from './harness/object-store.ts'
import { realParts } from './harness/requirements.ts'
import { until } from './harness/until.ts'
import { startVersitygw } from './harness/versitygw.ts'
import { victim } from './harness/victims.ts'

realParts('the chart on a real cluster', () => {
  let store: ObjectStore
  let cluster: Cluster
  let release: Release

  beforeAll(async () => {
    store = await startVersitygw()
    cluster = await new Cluster().start()
    release = new Release(cluster, store)
    await release.importImage()
  }, 900_000)

  afterAll(async () => {
    await cluster.stop()
    release.dispose()
    await store.stop()
  })

  test('is installed, catches crashes, is upgraded under them, tested, and leaves the node as it was', async () => {
    const inbox = new Inbox(store, join(release.directory, 'inbox'))
    await withRelease(cluster, release, async (before) => {
      await release.install()
      await catchesCrashOfDeployment(inbox)
      await losesNothingWhileUpgraded(inbox)
      expect(await release.test()).toMatch(/Phase:\s+Succeeded/)
      await release.uninstall()
      expect(release.leftOver()).toEqual([])
      expect(coreSysctls()).toEqual(before)
    })
  }, 600_000)

  async function catchesCrashOfDeployment(inbox: Inbox): Promise<void> {
    await cluster.apply(deployment('shop', crashing('till')))
    const { manifest, ...bundle } = await inbox.one(
      (each) => each.manifest.identity.container === 'till',
    )
    const pod = await cluster.field(
      'pods',
      '.items[?(@.metadata.labels.app=="shop")].metadata.name',
    )
    expect(manifest.identity).toMatchObject({
      status: 'verified',
      namespace: 'default',
      pod,
      image: CRASHER_IMAGE,
    })
    const uid = await cluster.field(`pod/${pod}`, '.metadata.uid')
    expect(manifest.identity.podUid).toBe(uid)
    const whole = await inbox.one((each) => each.path === bundle.path)
    expect(whole.entry('.core').bytes).toBe(await promisedBytes(await whole.extractCore()))
    // the pod's owner is told where the core is
    await until('an event on the pod', async () =>
      (await cluster.kubectl('describe', 'pod', pod)).includes(manifest.uuid),
    )
    await cluster.kubectl('delete', 'deployment', 'shop', '--wait')
  }

  async function losesNothingWhileUpgraded(inbox: Inbox): Promise<void> {
    await cluster.apply(podOf('looper', { containers: [looping('loop')] }))
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/looper', '--timeout=60s')
    const progress = { upgrading: true }
    const crashed: number[] = []
    const upgrade = release
      .upgrade('composer.logLength=7', 'daemonset.podAnnotations.round=two')
      .finally(() => (progress.upgrading = false))
    while (progress.upgrading) crashed.push(await runToDeath(victim('crasher'), ['-m', '1']))
    await upgrade
    const inPod = Number((await cluster.kubectl('logs', 'looper', '--tail=1')).trim())
    expect(inPod).toBeGreaterThan(5)
    const ofPod = await inbox.collect(
      ({ manifest }) => manifest.identity.pod === 'looper' && manifest.core.complete,
      inPod,
      120_000,
    )
    expect(new Set(ofPod.map(({ manifest }) => manifest.identity.status))).toEqual(
      new Set(['verified']),
    )
    await cluster.kubectl('delete', 'pod', 'looper', '--grace-period=0', '--force')
    const bundles = await inbox.collect(
      ({ manifest }) => crashed.includes(manifest.crash.hostPid ?? 0),
      crashed.length,
      120_000,
    )
    expect(new Set(bundles.map(({ manifest }) => manifest.crash.hostPid))).toEqual(new Set(crashed))
    expect(crashed.length).toBeGreaterThan(5)
  }
})
