import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { crashBarrier } from '@core-dump-handler/testing/kernel/barrier'
import { runPod, type Pod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { until } from '@core-dump-handler/testing/until'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { holdComposers, type HeldComposers } from './held-composers.ts'
import { Stage } from './stage.ts'

/** Before it the whole seconds of the kernel and those of a slewed clock may hide a second start. */
const START_MS = 3_500

realParts('the owner of a crash that is looked up late', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.start([{ name: 'later', namespace: 'bank' }])
  })
  afterAll(() => stage.stop())

  test('is unverified with the ids of the cgroup when the container was removed [identity-10]', async () => {
    const { pod, open, hostPid } = await waitingPod('gone')
    const [manifest] = await stage.catchOf(hostPid, async () => {
      const runtime = stage.runtime.shut()
      onTestFinished(runtime.open)
      open()
      await runtime.asked
      await pod.remove()
      runtime.open()
    })
    expect(manifest?.identity).toEqual({
      status: 'unverified',
      reason: expect.stringContaining('knows no container'),
      containerId: pod.containerIds[0],
      podUid: pod.uid,
    })
  })

  test('is unverified without a pod when the container was removed before the snapshot [identity-11]', async () => {
    const { pod, open, hostPid } = await waitingPod('lost')
    const [manifest] = await stage.catchOf(hostPid, () =>
      holding(async (composers) => {
        open()
        const letGo = await composers.of(hostPid)
        await pod.remove()
        letGo()
      }),
    )
    const reason = expect.stringMatching(/^No process/)
    expect(manifest?.identity).toEqual({ status: 'unverified', reason })
  })

  test('is verified after a restart of the runtime [identity-12]', async () => {
    const { pod, open, hostPid } = await waitingPod('steady')
    onTestFinished(() => pod.remove())
    const [manifest] = await stage.catchOf(hostPid, () =>
      holding(async (composers) => {
        open()
        const letGo = await composers.of(hostPid)
        await stage.containerd.daemon.stop()
        await stage.containerd.launch()
        letGo()
      }),
    )
    expect(manifest?.identity).toMatchObject({ status: 'verified', pod: 'steady', podUid: pod.uid })
  })

  test.for([
    ['by its descriptor', true, /not the one of pidfd/],
    ['by its start, where the kernel gives no descriptor', false, /started after the crash/],
  ] as const)(
    'is no other pod when a crashing process reused the pid, recognized %s [identity-19]',
    async ([, pidfd, reason]) => {
      const { pod, open, hostPid } = await waitingPod('first')
      onTestFinished(() => pod.remove())
      const make = async (composers: HeldComposers): Promise<void> => {
        open()
        const letFirstGo = await composers.of(hostPid)
        // the kernel keeps the pid until the core is read, unless the process is killed
        process.kill(hostPid, 'SIGKILL')
        await until('its pid is free', () => !existsSync(`/proc/${hostPid}`))
        if (!pidfd) await sleep(START_MS)
        crashAs(hostPid, stage.home('later').hostCgroups)
        const letSecondGo = await composers.of(hostPid)
        letFirstGo()
        await until('the first has a bundle', () => stage.catcher.waiting === 1)
        letSecondGo()
      }
      const manifests = await stage.catchOf(hostPid, () => holding(make), 2, { pidfd })
      const [first, second] = ['crasher', 'second'].map((name) =>
        manifests.find(({ crash }) => crash.comm === name),
      )
      expect(first?.identity).toEqual({
        status: 'unverified',
        reason: expect.stringMatching(reason),
      })
      expect(first?.core.complete).toBe(false)
      const { uid: podUid } = stage.home('later').pod
      expect(second?.identity).toMatchObject({ status: 'verified', pod: 'later', podUid })
    },
  )

  /** A pod whose first process crashes when `open` is called. */
  async function waitingPod(
    name: string,
  ): Promise<{ pod: Pod; hostPid: number; open: () => void }> {
    const place = scratchDirectory()
    onTestFinished(() => removeScratch(place))
    const { podArgs, mounts, open } = crashBarrier(place)
    // more than the pipe holds: the kernel waits for its composer
    const containers = [{ args: [...podArgs, '-m', '24'], mounts }]
    const pod = await runPod(stage.containerd, { name, containers })
    return { pod, hostPid: await pod.hostPid(), open }
  }

  /** Have composers stop before they look at anything. */
  async function holding(task: (composers: HeldComposers) => Promise<void>): Promise<void> {
    const composers = holdComposers(stage.catcher.agent.hostDir)
    try {
      await task(composers)
    } finally {
      composers.end()
    }
  }
})

/** Crash a process called `second` that has that pid, in these cgroups. */
function crashAs(pid: number, cgroups: readonly string[]): void {
  const name = Buffer.from('second').toString('hex')
  const enter = cgroups.map((path) => `echo $$ > ${path}/cgroup.procs && `).join('')
  const crash = `exec ${testProgram('reuse')} ${pid} ${testProgram('crasher')} -n ${name} -m 24`
  const shell = spawn('sh', ['-c', `${enter}${crash}`], { stdio: 'ignore' })
  onTestFinished(() => void shell.kill('SIGKILL'))
}
