import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from './cluster/cluster.ts'
import { Release } from './cluster/release.ts'
import { Inbox } from './harness/inbox.ts'
import { promisedBytes } from './harness/core.ts'
import { runToDeath } from './harness/host-victim.ts'
import { coreSysctls, withKernel } from './harness/kernel.ts'
import type { ObjectStore } from './harness/object-store.ts'
import { realParts } from './harness/requirements.ts'
import { until } from './harness/until.ts'
import { startVersitygw } from './harness/versitygw.ts'
import { victim } from './harness/victims.ts'

const CRASHER = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'shop', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'shop' } },
    template: {
      metadata: { labels: { app: 'shop' } },
      spec: {
        containers: [
          {
            name: 'till',
            image: 'test.local/crasher:1',
            imagePullPolicy: 'Never',
            args: ['-w', '300', '-m', '4'],
          },
        ],
      },
    },
  },
}

// its children crash one after the other; each line it prints is a crash that is over
const CRASHING_POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'looper', namespace: 'default' },
  spec: {
    containers: [
      {
        name: 'loop',
        image: 'test.local/crasher:1',
        imagePullPolicy: 'Never',
        command: [
          '/bin/busybox',
          'sh',
          '-c',
          'n=0; while :; do /bin/crasher -m 1 >/dev/null 2>&1; n=$((n+1)); echo $n; done 2>/dev/null',
        ],
      },
    ],
  },
}

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
    await withKernel(async (before) => {
      try {
        await release.install()
        await catchesCrashOfDeployment(inbox)
        await losesNothingWhileUpgraded(inbox)
        expect(await release.test()).toMatch(/Phase:\s+Succeeded/)
        await release.uninstall()
        expect(release.leftOver()).toEqual([])
        expect(coreSysctls()).toEqual(before)
      } catch (error) {
        throw new Error(await release.describe(), { cause: error })
      } finally {
        // no preStop may come when the kernel is somebody else's again
        await release.uninstall().catch(() => undefined)
      }
    })
  }, 600_000)

  async function catchesCrashOfDeployment(inbox: Inbox): Promise<void> {
    await cluster.apply(CRASHER)
    const { manifest, ...bundle } = await inbox.one(
      (each) => each.manifest.identity.container === 'till',
    )
    const [pod = ''] = (
      await cluster.kubectl(
        'get',
        'pods',
        '-l',
        'app=shop',
        '-o',
        'jsonpath={.items[*].metadata.name} {.items[*].metadata.uid}',
      )
    ).split(' ')
    expect(manifest.identity).toMatchObject({
      status: 'verified',
      namespace: 'default',
      pod,
      image: 'test.local/crasher:1',
    })
    const uid = await cluster.kubectl('get', 'pod', pod, '-o', 'jsonpath={.metadata.uid}')
    expect(manifest.identity.podUid).toBe(uid)
    const whole = await inbox.one((each) => each.path === bundle.path)
    expect(whole.entry('.core').bytes).toBe(await promisedBytes(await whole.extractCore()))
    // the pod's owner is told where the core is
    await until('an event on the pod', async () =>
      (
        await cluster.kubectl(
          'get',
          'events',
          '--field-selector',
          `involvedObject.name=${pod}`,
          '-o',
          'jsonpath={.items[*].message}',
        )
      ).includes('.zip'),
    )
    await cluster.kubectl('delete', 'deployment', 'shop', '--wait')
  }

  async function losesNothingWhileUpgraded(inbox: Inbox): Promise<void> {
    await cluster.apply(CRASHING_POD)
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
