import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { uploadAll, CORE, expectSound } from './outcome.ts'
import { failAt, failFrom, stagesOf, type Injection, type Stage } from './stages.ts'
import { Workshop, type Ended } from './workshop.ts'
import { realParts } from '../real-parts.ts'

const AT_ONCE = 4

interface Run {
  readonly stage: Stage
  readonly name: string
  readonly ended: Ended
}

type Failing = (workshop: Workshop, name: string, stages: readonly Stage[]) => string[]

/** Have one composer fail at the first of `stages`, the next at the second, and so on. */
async function atEachStage(workshop: Workshop, failing: Failing): Promise<Run[]> {
  const stages = await stagesOf(workshop, CORE)
  expect(stages.length).toBeGreaterThan(8)
  const left = stages.map((stage, index) => ({ stage, index, name: `stage-${index}` }))
  const runs: Run[] = []
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const under = failing(workshop, next.name, stages.slice(next.index))
      const { ended } = workshop.start({ name: next.name, core: CORE, under })
      runs.push({ ...next, ended: await ended })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return runs
}

const atOne =
  (what: Injection): Failing =>
  (workshop, name, [stage]) =>
    stage ? failAt(workshop, name, stage, what) : expect.fail('no stage is given')

realParts('a composer at each system call on its bundle', () => {
  test('what was written before kill -9 becomes a bundle, and no other file remains [composer-1]', async () => {
    const workshop = new Workshop()
    const runs = await atEachStage(workshop, atOne('signal=SIGKILL'))
    const killed = runs.filter(({ ended }) => ended.signal === 'SIGKILL')
    expect(killed.length).toBeGreaterThan(8)
    const stored = await uploadAll(workshop)
    // killed before it had a file, it left nothing but the kernel's log line
    const early = killed.filter(({ stage }) => stage.call === 'openat')
    expect(stored).toHaveLength(runs.length - early.length)
    for (const name of stored) await expectSound(join(workshop.directory, 'store', name))
  })

  test('SIGTERM ends it with a bundle that opens [composer-4]', async () => {
    const workshop = new Workshop()
    for (const { stage, name, ended } of await atEachStage(workshop, atOne('signal=SIGTERM'))) {
      expect(ended.signal, JSON.stringify(stage)).toBeNull()
      await expectSound(workshop.path(name))
      expect(existsSync(workshop.partPath(name))).toBe(false)
    }
  })

  test.for(['ENOSPC', 'EIO'] as const)(
    'the rest becomes a bundle after one %s, by the composer or from its unfinished file [composer-10]',
    async (error) => {
      const workshop = new Workshop()
      const runs = await atEachStage(workshop, atOne(`error=${error}`))
      for (const { stage, name, ended } of runs) {
        expect(ended.signal, JSON.stringify(stage)).toBeNull()
        if (!existsSync(workshop.path(name))) {
          expect(ended, JSON.stringify(stage)).toMatchObject({
            code: 1,
            stderr: expect.stringContaining(error),
          })
        }
      }
      const stored = await uploadAll(workshop)
      const early = runs.filter(({ stage }) => stage.call === 'openat')
      expect(stored).toHaveLength(runs.length - early.length)
      for (const name of stored) await expectSound(join(workshop.directory, 'store', name))
    },
  )

  test.for(['ENOSPC', 'EIO'] as const)(
    'the process is released and the error logged when %s stays [composer-11]',
    async (error) => {
      const workshop = new Workshop()
      const runs = await atEachStage(workshop, (at, name, stages) =>
        failFrom(at, name, stages, `error=${error}`),
      )
      for (const { stage, name, ended } of runs) {
        expect(ended.signal, JSON.stringify(stage)).toBeNull()
        if (existsSync(workshop.path(name))) await expectSound(workshop.path(name))
        else
          expect(ended, JSON.stringify(stage)).toMatchObject({
            code: 1,
            stderr: expect.stringContaining(error),
          })
      }
      for (const name of await uploadAll(workshop))
        await expectSound(join(workshop.directory, 'store', name))
    },
  )
})
