import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { crowdedPod } from '@core-dump-handler/testing/composer/crowded-pod'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { startComposer, test } from '@core-dump-handler/testing/composer/run-composer'
import { canMountDisks, powerCutDisk } from '@core-dump-handler/testing/power-cut-disk'
import { until } from '@core-dump-handler/testing/until'

const PART = /^\..+\.zip\.part$/
const CORE = elfCore(200_000)

describe.skipIf(!canMountDisks())('composer, when a power-off cuts the making of a bundle', () => {
  test.for([
    ['released, its metadata not yet written', CORE],
    ['held, its core not yet read whole', CORE.subarray(0, 100_000)],
  ] as const)('G7: a file is left of a crash that is %s', async ([, bytes], { dir }) => {
    using disk = powerCutDisk(dir)
    const cores = join(disk.path, 'cores')
    mkdirSync(cores)
    // the runtime does not answer: the bundle stays unfinished
    using pod = await crowdedPod(dir, 1, { hangs: ['ContainerStatus'] })
    const running = startComposer({ args: pod.args, env: { ...pod.env, CORE_DIR: cores } })
    if (bytes === CORE) running.stdin.end(bytes)
    else running.stdin.write(bytes)
    await until('there is a part file', () => readdirSync(cores).some((name) => PART.test(name)))
    await delay(2000)
    const left = readdirSync(join(disk.afterPowerCut(), 'cores'))
    running.kill('SIGKILL')
    await running.ended
    expect(left).toEqual([expect.stringMatching(PART)])
  })

  test('G7: nothing is left without an fsync of the directory', ({ dir }) => {
    using disk = powerCutDisk(dir)
    mkdirSync(join(disk.path, 'cores'))
    expect(readdirSync(disk.afterPowerCut())).not.toContain('cores')
  })
})
