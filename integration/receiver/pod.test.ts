import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { type Pod, runPod } from '@core-dump-handler/testing/containerd/pod'
import { BROKEN, listen } from '@core-dump-handler/testing/cri/broken-runtimes'
import { mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'
import {
  type CrashBarrier,
  crashBarrier,
  isWaiting,
} from '@core-dump-handler/testing/kernel/barrier'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { crasherInPod } from '@core-dump-handler/testing/kernel/waiting-crasher'
import { writtenBytes } from '@core-dump-handler/testing/processes'
import {
  received,
  shareReceiver,
  type SharedReceiver,
} from '@core-dump-handler/testing/receiver/received'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

const MIB = 2 ** 20
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

  describe('beside a runtime, a log or a label that they cannot use', () => {
    let shared: SharedReceiver
    beforeAll(async () => {
      shared = await shareReceiver({}, 60_000)
    })
    afterAll(() => shared.end())

    test('ignores the crash of a pod without the label of the selector before its first byte, and keeps that of one with it [receiver-27]', async () => {
      const { receiver } = shared
      receiver.configure({ CRI_ENDPOINT: endpoint(), POD_SELECTOR_LABEL: 'only', REPORT: 'off' })
      const before = writtenBytes(receiver.daemon.pid)
      await crashIn('unwanted')
      const ignored = 'Ignored: The pod `unwanted` has no label `only`'
      await until('the reason in the log', () => receiver.output.includes(ignored))
      expect(receiver.bundleNames).toEqual([])
      expect(writtenBytes(receiver.daemon.pid) - before).toBeLessThan(MIB)
      // a label that the test's pods have
      receiver.configure({ CRI_ENDPOINT: endpoint(), POD_SELECTOR_LABEL: 'app' })
      const { manifest } = await receiver.bundleOf(await crashIn('wanted'))
      expect(manifest).toMatchObject({ identity: { pod: 'wanted' }, core: { complete: true } })
    })

    test('asks a runtime that never answers before the acknowledgement only where the name needs the pod, and goes on meanwhile [receiver-28]', async () => {
      const { receiver } = shared
      const socket = join(receiver.directory, 'hung.sock')
      const hung = await listen(BROKEN['accepts and never answers'](), socket)
      onTestFinished(() => hung.close())
      const limits = { CRI_CALL_TIMEOUT_MS: '1500', CRI_TOTAL_TIMEOUT_MS: '1500' }
      const settings = { CRI_ENDPOINT: `unix://${socket}`, ...limits }
      receiver.configure({ ...settings, FILENAME_TEMPLATE: '{uuid}-{podname}' })
      const named = await waitingCrasher('named')
      const unnamed = await waitingCrasher('unnamed')
      const [namedDied, asked] = [named.crash(), hung.connections()]
      await until('the runtime is asked', () => hung.connections() > asked)
      receiver.configure(settings)
      await unnamed.crash()
      const ofHost = await runUntilCrash(testProgram('crasher'), ['-l', '0'])
      expect((await receiver.bundleOf(ofHost)).manifest.core.complete).toBe(true)
      // held for as long as a call to the runtime may take
      expect(existsSync(`/proc/${named.hostPid}`)).toBe(true)
      await namedDied
      const early = (await receiver.bundleOf(unnamed.hostPid)).manifest
      const late = (await receiver.bundleOf(named.hostPid)).manifest
      expect(early.timings.heldMs).toBeLessThan(1000)
      expect(early.timings.lookupMs).toBeGreaterThanOrEqual(1500)
      expect(late.timings.heldMs).toBeGreaterThanOrEqual(1500)
      expect(late.timings.heldMs).toBeLessThan(4000)
      for (const { identity, core } of [early, late]) {
        expect(identity.status).toBe('unverified')
        expect(core.complete).toBe(true)
      }
      expect(early.identity.podUid).toBe(unnamed.pod.uid)
    })

    test('leaves out a log on a mount that never answers, and takes other crashes meanwhile [receiver-8]', async () => {
      const { receiver } = shared
      receiver.configure({ CRI_ENDPOINT: endpoint() })
      const dead = await waitingCrasher('dead')
      const { namespace, name, uid } = dead.pod
      const pods = join(containerd.directory, 'pods')
      const log = await mountSilentFile(join(pods, `${namespace}_${name}_${uid}`, 'main/0.log'))
      onTestFinished(() => log.release())
      await dead.crash()
      const beside = await receiver.bundleOf(await crashIn('beside'))
      expect(beside.manifest).toMatchObject({ identity: { pod: 'beside' }, problems: [] })
      expect(beside.entries).toContain('-0.log')
      const { manifest } = await receiver.bundleOf(dead.hostPid)
      expect(manifest).toMatchObject({
        identity: { status: 'verified', pod: 'dead' },
        core: { complete: true },
      })
      expect(manifest.timings.heldMs).toBeLessThan(1000)
      expect(manifest.problems.map(({ code }) => code)).toEqual(['LOG_UNREADABLE'])
    })

    async function waitingCrasher(name: string): ReturnType<typeof crasherInPod> {
      const crasher = await crasherInPod(shared.receiver.directory, 1, containerd, name)
      onTestFinished(() => crasher.dispose())
      return crasher
    }

    /** Crashes the process of a new pod; resolves with its pid when it has been released. */
    async function crashIn(pod: string): Promise<number> {
      const crasher = await waitingCrasher(pod)
      await crasher.crash()
      return crasher.hostPid
    }
  })

  function endpoint(): string {
    return `unix://${containerd.socket}`
  }
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
