import { appendFileSync, cpSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { corePattern } from '@core-dump-handler/composer'
import { expect, onTestFinished, test } from 'vitest'
import { deployExecutable } from '@core-dump-handler/agent/internal/deploy/deploy-executable'
import { Bundle } from './harness/bundle.ts'
import { gate } from './harness/gate.ts'
import { runToDeath } from './harness/host-victim.ts'
import { setCoreSysctl, withKernel } from './harness/kernel.ts'
import { realParts } from './harness/requirements.ts'
import { processesOf, removeScratch, scratchDirectory } from './harness/scratch.ts'
import { until } from './harness/until.ts'
import { victim } from './harness/victims.ts'
import { builtImage } from './image/artefact.ts'

const CRASHES = 20

realParts('upgrading the composer', () => {
  test('while 20 crashes are handled loses none of them', async () => {
    const { composer } = await builtImage()
    const directory = scratchDirectory()
    onTestFinished(() => removeScratch(directory))
    const hostDir = join(directory, 'host')
    const coreDir = join(directory, 'cores')
    for (const name of [hostDir, coreDir]) mkdirSync(name)
    const next = anotherVersion(composer, join(directory, 'next'))
    writeFileSync(join(hostDir, '.env'), `CORE_DIR=${coreDir}\nIGNORE_CRIO=true\nRATE_CRASHES=0\n`)
    await deployExecutable(composer, hostDir)
    const { open, hostArgs } = gate(directory)

    const pids = await withKernel(async () => {
      setCoreSysctl('kernel.core_pipe_limit', '128')
      setCoreSysctl('kernel.core_pattern', corePattern(hostDir).pattern)
      const dying = Array.from({ length: CRASHES }, async () =>
        runToDeath(victim('crasher'), ['-m', '24', ...hostArgs]),
      )
      open()
      await until('composers are at work', () => processesOf(hostDir).length > 0)
      // what version 9 did: the kernel refuses to write to a program that runs
      expect(() => openSync(join(hostDir, 'cdc'), 'r+')).toThrow(/ETXTBSY/)
      const late: Promise<number>[] = []
      for (const source of [next, composer, next]) {
        await deployExecutable(source, hostDir)
        late.push(runToDeath(victim('crasher'), ['-m', '1']))
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
