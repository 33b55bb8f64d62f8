import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { podsCgroup, removeCgroups } from '@core-dump-handler/testing/kernel/pod-cgroup'
import { CONTAINERD_VERSIONS } from '@core-dump-handler/testing/containerd/containerd-config'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { everyProcessOf, killProcessesOf, processesOf } from '@core-dump-handler/testing/processes'
import { removeScratch } from '@core-dump-handler/testing/scratch-directory'
import { until } from '@core-dump-handler/testing/until'

realParts('the tests’ own clean-up', () => {
  test('restores the core dump settings when a test that changed them is killed', async () => {
    const before = await withKernel(async (values) => values)
    const { signal } = await runModule(`
      import { setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
       await withKernel(async () => {
         setCoreSysctl('kernel.core_pattern', 'careless')
         setCoreSysctl('fs.suid_dumpable', '2')
         process.kill(process.pid, 'SIGKILL')
       })`)
    expect(signal).toBe('SIGKILL')
    expect(await withKernel(async (values) => values)).toEqual(before)
  })

  test('ends the pod of a killed test that still changes them', async () => {
    const before = await withKernel(async (values) => values)
    const careless = runModule(`
         import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
         import { withKernel } from '@core-dump-handler/testing/kernel/kernel'
         import { runPod } from '@core-dump-handler/testing/containerd/pod'
         const containerd = await new Containerd('2').start()
         await withKernel(async () => {
           const mounts = { '/kernel': '/proc/sys/kernel' }
           const pattern = '|' + containerd.directory + '/careless'
           const loop = 'while :; do echo "' + pattern + '" > /kernel/core_pattern; busybox usleep 1000; done'
           const pod = await runPod(containerd, { name: 'c', containers: [{ command: ['sh', '-c', loop], args: [], mounts }] })
           console.log(containerd.directory, pod.uid)
           await new Promise(() => setInterval(() => {}, 1000))
         })`)
    const [line] = await once(createInterface(careless.stdout), 'line')
    const [directory = '', uid] = String(line).split(' ')
    onTestFinished(async () => {
      careless.kill('SIGKILL')
      killProcessesOf(directory)
      await until('they are gone', () => everyProcessOf(directory).length === 0)
      removeScratch(directory)
      removeCgroups(`${podsCgroup()}/pod${uid}`)
    })
    await until('the pod has changed them', () => pattern().endsWith('careless'))
    careless.kill('SIGKILL')
    expect(await withKernel(async (values) => values)).toEqual(before)
    await sleep(200)
    expect(pattern()).not.toMatch(/careless$/)
  })

  test.for(CONTAINERD_VERSIONS)('removes containerd %s and its pods', async (version) => {
    const containerd = new Containerd(version)
    let stopped = false
    onTestFinished(async () => {
      if (!stopped) await containerd.stop()
    })
    await containerd.start()
    const spec = { name: 'patient', containers: [{ args: ['-w', '60000'] }] }
    const pod = await runPod(containerd, spec)
    await until('its shim runs', () => processesOf(containerd.directory).length > 1)
    await pod.remove()
    await containerd.stop()
    stopped = true
    expect(processesOf(containerd.directory)).toEqual([])
    expect(existsSync(containerd.directory)).toBe(false)
  })

  test('locks the kernel’s settings for one test at a time', async () => {
    let inside = 0
    const enter = async (): Promise<void> => {
      expect(++inside).toBe(1)
      expect(coreSysctls()['kernel.core_pattern']).toBeTruthy()
      inside--
    }
    await Promise.all([withKernel(enter), withKernel(enter), withKernel(enter)])
  })
})

const pattern = (): string => coreSysctls()['kernel.core_pattern']

/** Run TypeScript in a process of its own, which the test kills. */
function runModule(source: string) {
  const args = ['--input-type=module-typescript', '--eval', source]
  return execa(process.execPath, args, { reject: false, stderr: 'inherit' })
}
