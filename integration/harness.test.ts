import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { CONTAINERD_VERSIONS } from './harness/containerd-config.ts'
import { Containerd } from './harness/containerd.ts'
import { coreSysctls, withKernel } from './harness/kernel.ts'
import { runPod } from './harness/pod.ts'
import { realParts } from './harness/requirements.ts'
import { processesOf } from './harness/scratch.ts'
import { until } from './harness/until.ts'

const KERNEL = new URL('./harness/kernel.ts', import.meta.url).pathname

realParts('the harness', () => {
  test('puts the core dump settings back when a test that changed them is killed', async () => {
    const before = await withKernel(async (values) => values)
    const careless = spawn(process.execPath, [
      '--input-type=module-typescript',
      '--eval',
      `import { setCoreSysctl, withKernel } from '${KERNEL}'
       await withKernel(async () => {
         setCoreSysctl('kernel.core_pattern', 'careless')
         setCoreSysctl('fs.suid_dumpable', '2')
         process.kill(process.pid, 'SIGKILL')
       })`,
    ])
    await once(careless, 'exit')
    expect(await withKernel(async (values) => values)).toEqual(before)
  })

  test.for(CONTAINERD_VERSIONS)(
    'runs pods in containerd %s and leaves nothing',
    async (version) => {
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
    },
  )

  test('gives the kernel to one test at a time', async () => {
    let inside = 0
    const enter = async (): Promise<void> => {
      expect(++inside).toBe(1)
      expect(coreSysctls()['kernel.core_pattern']).toBeTruthy()
      inside--
    }
    await Promise.all([withKernel(enter), withKernel(enter), withKernel(enter)])
  })
})
