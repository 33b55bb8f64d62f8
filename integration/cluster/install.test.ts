import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { readManifest } from '@core-dump-handler/bundle'
import { Cluster } from './cluster.ts'
import { Release } from './release.ts'
import { withRelease } from './with-release.ts'
import { crashing, deployment, looping, podOf } from './workloads.ts'
import { CRASHER_IMAGE } from '@core-dump-handler/testing/containerd/containerd'
import type { CoreEntry } from '@core-dump-handler/testing/bench/entries'
import { BundleCollector } from '@core-dump-handler/testing/bundle/bundle-collector'
import { promisedBytes } from '@core-dump-handler/testing/bundle/core'
import { crashingDuring } from '@core-dump-handler/testing/kernel/crash-loop'
import { coreSysctls } from '@core-dump-handler/testing/kernel/kernel'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { coreSockets } from '../receiver/core-sockets.ts'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

/** A change of the pattern is seen so much later at most. */
const SEEN_MS = 50
/** Programs that crash at the same time. */
const LOOPS = 4

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
      await catchesCrashOfDeployment(bundles, 'pipe')
      await losesNothingWhileUpgraded(bundles, release)
      expect(await release.test()).toMatch(/Phase:\s+Succeeded/)
      await release.uninstall()
      expect(release.leftOver()).toEqual([])
      expect(coreSysctls()).toEqual(before)
    })
  }, 600_000)

  coreSockets('with its receiver', () => {
    let ofReceiver: Release
    let bundles: BundleCollector
    beforeEach(async () => {
      ofReceiver = new Release(cluster, await startVersitygw())
      bundles = new BundleCollector(ofReceiver.store, join(ofReceiver.directory, 'bundles'))
    })
    afterEach(async () => {
      ofReceiver.dispose()
      await ofReceiver.store.stop()
    })

    test('stores crashes by the socket, and loses none during an upgrade and an uninstall [receiver-15]', async () => {
      await withRelease(cluster, ofReceiver, async (before) => {
        await ofReceiver.install('receiver.mode=auto')
        await catchesCrashOfDeployment(bundles, 'socket')
        await losesNothingWhileUpgraded(bundles, ofReceiver, 'receiver.mode=auto')
        await losesNothingWhileUninstalled(bundles, ofReceiver)
        expect(coreSysctls()).toEqual(before)
      })
    }, 600_000)

    test('has the pattern set by an init container, and restores the node [receiver-16]', async () => {
      await withRelease(cluster, ofReceiver, async (before) => {
        await ofReceiver.install('receiver.mode=required', 'kernel.managedBy=init-container')
        await catchesCrashOfDeployment(bundles, 'socket')
        expect(await ofReceiver.logs()).toMatch(/has the socket of the receiver open too/)
        expect(await ofReceiver.exec('/app/core-dump-agent', 'status')).toMatch(
          /^ok +readiness of receiver: socket: .*init container/m,
        )
        await ofReceiver.uninstall()
        expect(ofReceiver.leftOver()).toEqual([])
        expect(coreSysctls()).toEqual(before)
      })
    }, 600_000)
  })

  async function catchesCrashOfDeployment(
    bundles: BundleCollector,
    entry: CoreEntry,
  ): Promise<void> {
    await cluster.apply(deployment('shop', crashing('till')))
    const bundle = await bundles.one((each) => each.manifest.identity.container === 'till')
    const { manifest } = bundle
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
    expect(manifest).toMatchObject({ entry, problems: [] })
    expect(await bundle.text('-0.log')).toContain('line 1 of 4')
    const uid = await cluster.field(`pod/${pod}`, '.metadata.uid')
    expect(manifest.identity.podUid).toBe(uid)
    expect(bundle.entry('.core').bytes).toBe(await promisedBytes(await bundle.extractCore()))
    // an Event of the pod names the bundle
    await until('an event on the pod', async () =>
      (await cluster.kubectl('describe', 'pod', pod)).includes(manifest.uuid),
    )
    await cluster.kubectl('delete', 'deployment', 'shop', '--wait')
  }

  async function losesNothingWhileUpgraded(
    bundles: BundleCollector,
    upgraded: Release,
    ...set: string[]
  ): Promise<void> {
    await cluster.apply(podOf('looper', { containers: [looping('loop')] }))
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/looper', '--timeout=60s')
    const { crashes } = await crashingDuring(() =>
      upgraded.upgrade('composer.logLength=7', 'daemonset.podAnnotations.round=two', ...set),
    )
    const crashed = crashes.map(({ pid }) => pid)
    const inPod = Number((await cluster.kubectl('logs', 'looper', '--tail=1')).trim())
    expect(inPod).toBeGreaterThan(5)
    // before the bundles are read, which takes longer than a crash
    await cluster.kubectl('delete', 'pod', 'looper', '--grace-period=0', '--force')
    const ofPod = await bundles.collect(
      ({ manifest }) => manifest.identity.pod === 'looper' && manifest.core.complete,
      inPod,
      120_000,
    )
    expect(new Set(ofPod.map(({ manifest }) => manifest.identity.status))).toEqual(
      new Set(['verified']),
    )
    const ofHost = await bundles.collect(
      ({ manifest }) => crashed.includes(manifest.crash.hostPid ?? 0),
      crashed.length,
      120_000,
    )
    expect(new Set(ofHost.map(({ manifest }) => manifest.crash.hostPid))).toEqual(new Set(crashed))
    expect(crashed.length).toBeGreaterThan(5)
  }
})

/** Also what crashes while the pods stop is in the store or on the node, until the pattern is another one. */
async function losesNothingWhileUninstalled(
  bundles: BundleCollector,
  uninstalled: Release,
): Promise<void> {
  const { crashes, patterns } = await crashingDuring(() => uninstalled.uninstall(), LOOPS)
  const restored = patterns.find(({ pattern }) => !pattern.includes(uninstalled.hostDir))
  const ours = crashes.filter(({ endMs }) => endMs < (restored?.atMs ?? 0) - SEEN_MS)
  const missing = new Set(ours.map(({ pid }) => pid))
  for (const { manifest } of await bundles.collect(() => true, 0)) {
    missing.delete(manifest.crash.hostPid ?? 0)
  }
  // what the agent could not upload any more waits on the node
  for (const path of uninstalled.leftOver()) {
    missing.delete((await readManifest(path))?.crash.hostPid ?? 0)
  }
  expect(missing).toEqual(new Set())
  expect(ours.length).toBeGreaterThan(5)
}
