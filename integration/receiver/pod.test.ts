import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { type Pod, runPod } from '@core-dump-handler/testing/containerd/pod'
import {
  type CrashBarrier,
  crashBarrier,
  isWaiting,
} from '@core-dump-handler/testing/kernel/barrier'
import { received } from '@core-dump-handler/testing/receiver/received'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

const PODS = 5
const CONTAINERS = 2
const CRASHES_EACH = 10
const CRASHES = PODS * CONTAINERS * CRASHES_EACH

coreSockets('the receiver and pods', () => {
  let containerd: Containerd
  beforeAll(async () => {
    containerd = await new Containerd('2').start()
  })
  afterAll(() => containerd.stop())

  test('proves whose crash it was, and keeps the log of the container', async () => {
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

  test(`loses none of ${CRASHES} crashes of ${PODS} pods at once, and proves the owner of each [receiver-14]`, async () => {
    const pods: Pod[] = []
    onTestFinished(async () => {
      for (const pod of pods) await pod.remove()
    })
    const receiver = await received(
      { CRI_ENDPOINT: `unix://${containerd.socket}` },
      async (one) => {
        const barrier = crashBarrier(one.directory)
        for (let pod = 0; pod < PODS; pod++) pods.push(await startPod(containerd, pod, barrier))
        await until('all of them wait', () => waitingCrashers() === CRASHES)
        barrier.open()
        await one.bundles(CRASHES)
      },
      60_000,
    )
    const owners = new Map<string, string>()
    for (const { manifest } of await receiver.bundles(CRASHES)) {
      const { crash, identity, core } = manifest
      if (!NAME.test(crash.comm ?? '')) continue // of another program of this machine
      const { status, podUid, containerId } = identity
      owners.set(crash.comm ?? '', [status, podUid, containerId, core.complete].join(' '))
    }
    expect(Object.fromEntries(owners)).toEqual(
      Object.fromEntries(
        pods.flatMap(({ uid, containerIds }, pod) =>
          containerIds.flatMap((id, container) =>
            namesOf(pod, container).map((name) => [name, `verified ${uid} ${id} true`]),
          ),
        ),
      ),
    )
  })
})

const NAME = /^pod\d+-\d+-\d+$/

function namesOf(pod: number, container: number): readonly string[] {
  return Array.from({ length: CRASHES_EACH }, (_, index) => `pod${pod}-${container}-${index}`)
}

/** A pod whose containers run programs that crash at the barrier, each under its own name. */
function startPod(containerd: Containerd, pod: number, barrier: CrashBarrier): Promise<Pod> {
  const containers = Array.from({ length: CONTAINERS }, (_, container) => {
    const crashers = namesOf(pod, container).map((name) => {
      const hex = Buffer.from(name).toString('hex')
      return ['/bin/crasher', '-l', '0', '-m', '1', '-n', hex, ...barrier.podArgs, '&'].join(' ')
    })
    const script = `${crashers.join(' ')} exec busybox sleep 3600`
    return { command: ['/bin/sh', '-c', script], args: [], mounts: barrier.mounts }
  })
  return runPod(containerd, { name: `web-${pod}`, containers })
}

function waitingCrashers(): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        NAME.test(readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd()) && isWaiting(Number(pid))
      )
    } catch {
      return false // no process, or it has ended
    }
  }).length
}
