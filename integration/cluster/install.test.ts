import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { Release } from './release.ts'
import { withRelease } from './with-release.ts'
import { crashing, deployment, looping, podOf } from './workloads.ts'
import { CRASHER_IMAGE } from '@core-dump-handler/testing/containerd/containerd'
import { BundleCollector } from '@core-dump-handler/testing/bundle/bundle-collector'
import { promisedBytes } from '@core-dump-handler/testing/bundle/core'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { coreSysctls } from '@core-dump-handler/testing/kernel/kernel'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

realParts('a release of the chart on a real cluster', () => {
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

  test('is installed, stores crashes, is upgraded during crashes, tested, and restores the node [B31]', async () => {
    const bundles = new BundleCollector(store, join(release.directory, 'bundles'))
    await withRelease(cluster, release, async (before) => {
      await release.install()
      await catchesCrashOfDeployment(bundles)
      await losesNothingWhileUpgraded(bundles)
      expect(await release.test()).toMatch(/Phase:\s+Succeeded/)
      await release.uninstall()
      expect(release.leftOver()).toEqual([])
      expect(coreSysctls()).toEqual(before)
    })
  }, 600_000)

  async function catchesCrashOfDeployment(bundles: BundleCollector): Promise<void> {
    await cluster.apply(deployment('shop', crashing('till')))
    const { manifest, ...bundle } = await bundles.one(
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
    const whole = await bundles.one((each) => each.path === bundle.path)
    expect(whole.entry('.core').bytes).toBe(await promisedBytes(await whole.extractCore()))
    // an Event of the pod names the bundle
    await until('an event on the pod', async () =>
      (await cluster.kubectl('describe', 'pod', pod)).includes(manifest.uuid),
    )
    await cluster.kubectl('delete', 'deployment', 'shop', '--wait')
  }

  async function losesNothingWhileUpgraded(bundles: BundleCollector): Promise<void> {
    await cluster.apply(podOf('looper', { containers: [looping('loop')] }))
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/looper', '--timeout=60s')
    const progress = { upgrading: true }
    const crashed: number[] = []
    const upgrade = release
      .upgrade('composer.logLength=7', 'daemonset.podAnnotations.round=two')
      .finally(() => (progress.upgrading = false))
    while (progress.upgrading)
      crashed.push(await runUntilCrash(testProgram('crasher'), ['-m', '1']))
    await upgrade
    const inPod = Number((await cluster.kubectl('logs', 'looper', '--tail=1')).trim())
    expect(inPod).toBeGreaterThan(5)
    const ofPod = await bundles.collect(
      ({ manifest }) => manifest.identity.pod === 'looper' && manifest.core.complete,
      inPod,
      120_000,
    )
    expect(new Set(ofPod.map(({ manifest }) => manifest.identity.status))).toEqual(
      new Set(['verified']),
    )
    await cluster.kubectl('delete', 'pod', 'looper', '--grace-period=0', '--force')
    const ofHost = await bundles.collect(
      ({ manifest }) => crashed.includes(manifest.crash.hostPid ?? 0),
      crashed.length,
      120_000,
    )
    expect(new Set(ofHost.map(({ manifest }) => manifest.crash.hostPid))).toEqual(new Set(crashed))
    expect(crashed.length).toBeGreaterThan(5)
  }
})
