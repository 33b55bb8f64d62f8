import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BundleManifest } from '@core-dump-handler/bundle'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { Release } from './release.ts'
import { withRelease } from './with-release.ts'
import { looping, podOf } from './workloads.ts'
import { crashingDuring, gapIn, type Crash } from '@core-dump-handler/testing/kernel/crash-loop'
import { BundleCollector } from '@core-dump-handler/testing/bundle/bundle-collector'
import { coreSysctls, setCoreSysctls } from '@core-dump-handler/testing/kernel/kernel'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

/** Values of the node before version 9. */
const FOUND = {
  'kernel.core_pattern': '|/bin/false %p',
  'kernel.core_pipe_limit': '7',
  'fs.suid_dumpable': '1',
} as const

// the kernel reports no helper whose file is removed while it starts
const SLACK_MS = 500

realParts('a release of IBM core-dump-handler 9 on a real cluster', () => {
  let store: ObjectStore
  let cluster: Cluster
  let release: Release

  beforeAll(async () => {
    store = await startVersitygw()
    cluster = await new Cluster().start()
    release = new Release(cluster, store, 'observe')
    await release.importImage()
  }, 900_000)

  afterAll(async () => {
    await cluster.stop()
    release.dispose()
    await store.stop()
  })

  test('is upgraded by the guide’s commands during crashes, and only those between its preStop and the new agent’s start are missed', async () => {
    await withRelease(cluster, release, async () => {
      setCoreSysctls(FOUND)
      await release.installVersion9()
      await until('version 9 has the node', () => pattern().includes(` -d=${release.coreDir} `))
      await cluster.apply(podOf('looper', { containers: [looping('loop')] }))
      await cluster.kubectl('wait', '--for=condition=Ready', 'pod/looper', '--timeout=60s')
      await upgradesUnderCrashes()
      await until('its PersistentVolumeClaims and volumes are gone', async () => {
        return (await cluster.kubectl('get', 'pv,pvc', '-A', '-o', 'name')) === ''
      })
      expect(backups()).toEqual(FOUND)
      await release.uninstall()
      await until('our files are gone', () => release.leftOver().length === 0).catch(() =>
        expect(release.leftOver()).toEqual([]),
      )
      expect(coreSysctls()).toEqual(FOUND)
    })
  }, 300_000)

  async function upgradesUnderCrashes(): Promise<void> {
    const { crashes, patterns } = await crashingDuring(async () => {
      await sleep(2000)
      expect(await release.upgradeByGuide()).toMatch(/Phase:\s+Succeeded/)
      await sleep(2000)
    })
    const inPod = await crashesInPod()
    await cluster.kubectl('delete', 'pod', 'looper', '--grace-period=0', '--force')
    const gap = gapIn(patterns, (value) => value.includes(' -P='))
    const inGap = ({ startMs, endMs }: Crash): boolean =>
      endMs > gap.startMs - SLACK_MS && startMs < gap.endMs
    const safe = crashes.filter((crash) => !inGap(crash))
    const before = safe.filter(({ endMs }) => endMs < gap.startMs)
    const after = safe.filter(({ startMs }) => startMs >= gap.endMs)
    const podBefore = inPod.filter(({ endMs }) => endMs < gap.startMs - SLACK_MS)
    // its lines are read a moment after they are written
    const podAfter = inPod.filter(({ startMs }) => startMs >= gap.endMs + SLACK_MS)
    for (const some of [before, after, podBefore, podAfter]) {
      expect(some.length).toBeGreaterThan(3)
    }

    // what version 9 had caught and not sent is sent by us
    await until('version 9’s dumps are in the store', async () => {
      const keys = new Set(await store.keys())
      const theirs = [...keys].filter((key) => !isOurs(key))
      return (
        theirs.length >= before.length + podBefore.length &&
        pids(before).every((pid) => keys.has(`version-9-${pid}.zip`))
      )
    })
    const ours = { ...store, keys: async () => (await store.keys()).filter(isOurs) }
    const bundles = new BundleCollector(ours, join(release.directory, 'bundles'))
    const caught = await bundles.collect(
      ({ manifest }) => pids(after).includes(manifest.crash.hostPid ?? 0),
      after.length,
    )
    expect(new Set(caught.map(({ manifest }) => manifest.crash.hostPid))).toEqual(
      new Set(pids(after)),
    )
    const ofPod = await bundles.collect(({ manifest }) => isLooper(manifest), podAfter.length)
    expect(new Set(ofPod.map(({ manifest }) => manifest.identity.status))).toEqual(
      new Set(['verified']),
    )
    const seconds = ((gap.endMs - gap.startMs) / 1000).toFixed(1)
    const missed = crashes.length - before.length - after.length
    if (Number(seconds) > 5) process.stderr.write(`${await release.describe()}\n`)
    process.stderr.write(
      `${seconds} s between version 9's preStop and our pattern: at most ${missed} of ${crashes.length} crashes missed, and of ${inPod.length} in a pod ${inPod.length - podBefore.length - podAfter.length}\n`,
    )
  }

  /** Crashes that have ended, by their log lines. */
  async function crashesInPod(): Promise<Pick<Crash, 'startMs' | 'endMs'>[]> {
    const lines = (await cluster.kubectl('logs', 'looper', '--timestamps')).trim().split('\n')
    const ends = lines.map((line) => Date.parse(line.split(' ')[0] ?? '') - performance.timeOrigin)
    return ends.slice(1).map((endMs, index) => ({ startMs: ends[index] ?? endMs, endMs }))
  }

  function backups(): Record<string, string> {
    const read = (key: string): string =>
      readFileSync(join(release.hostDir, `${key.split('.').at(-1)}.bak`), 'utf8')
    expect(existsSync(join(release.hostDir, 'cdc'))).toBe(true)
    return Object.fromEntries(Object.keys(FOUND).map((key) => [key, read(key)]))
  }
})

const pattern = (): string => coreSysctls()['kernel.core_pattern']
const isOurs = (key: string): boolean => !key.startsWith('version-9-')
const isLooper = ({ identity }: BundleManifest): boolean => identity.pod === 'looper'
const pids = (some: readonly Crash[]): number[] => some.map(({ pid }) => pid)
