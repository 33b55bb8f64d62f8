import { appendFileSync, cpSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { corePattern } from '@core-dump-handler/composer'
import { expect, onTestFinished, test } from 'vitest'
import { deployExecutable } from '@core-dump-handler/agent/internal/deploy/deploy-composer'
import { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { crashBarrier } from '@core-dump-handler/testing/kernel/barrier'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { realParts } from '../real-parts.ts'
import { processesOf } from '@core-dump-handler/testing/processes'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { until } from '@core-dump-handler/testing/until'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { builtImage } from '../image/built-image.ts'

const CRASHES = 20

realParts('an upgrade of the composer', () => {
  test('loses none of 20 crashes [node-1, B4]', async () => {
    const { composer } = await builtImage()
    const directory = scratchDirectory()
    onTestFinished(() => removeScratch(directory))
    const hostDir = join(directory, 'host')
    const coreDir = join(directory, 'cores')
    for (const name of [hostDir, coreDir]) mkdirSync(name)
    const next = anotherVersion(composer, join(directory, 'next'))
    writeFileSync(join(hostDir, '.env'), `CORE_DIR=${coreDir}\nIGNORE_CRIO=true\nRATE_CRASHES=0\n`)
    await deployExecutable(composer, hostDir)
    const { open, hostArgs } = crashBarrier(directory)

    const pids = await withKernel(async () => {
      setCoreSysctl('kernel.core_pipe_limit', '128')
      setCoreSysctl('kernel.core_pattern', corePattern(hostDir).pattern)
      const dying = Array.from({ length: CRASHES }, async () =>
        runUntilCrash(testProgram('crasher'), ['-m', '24', ...hostArgs]),
      )
      open()
      await until('composers are at work', () => processesOf(hostDir).length > 0)
      // what version 9 did: the kernel refuses to write to a program that runs
      expect(() => openSync(join(hostDir, 'cdc'), 'r+')).toThrow(/ETXTBSY/)
      const late: Promise<number>[] = []
      for (const source of [next, composer, next]) {
        await deployExecutable(source, hostDir)
        late.push(runUntilCrash(testProgram('crasher'), ['-m', '1']))
      }
      const all = await Promise.all([...dying, ...late])
      await until('composers have ended', () => processesOf(hostDir).length === 0, 60_000)
      return all
    })

    const bundles = await Promise.all(
      readdirSync(coreDir).map(async (name) => Bundle.open(join(coreDir, name))),
    )
    expect(bundles).toHaveLength(pids.length)
    expect(new Set(bundles.map(({ manifest }) => manifest.crash.hostPid))).toEqual(new Set(pids))
    for (const { manifest } of bundles) expect(manifest.core.complete).toBe(true)
    const libraries = readdirSync(hostDir).filter((name) => name.startsWith('lib-'))
    expect(libraries, 'the new one and the one it replaced').toHaveLength(2)
  })
})

/** The same program with other libraries: another directory of them on the node. */
function anotherVersion(composer: string, directory: string): string {
  cpSync(dirname(composer), directory, { recursive: true })
  // behind the last section nothing is read
  appendFileSync(join(directory, 'lib/libgcc_s.so.1'), 'another version')
  return join(directory, 'cdc')
}
