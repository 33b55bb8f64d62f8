import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import type { BundleManifest } from '@core-dump-handler/bundle'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { realParts } from '../real-parts.ts'
import { processesOf } from '@core-dump-handler/testing/processes'
import { storm } from '@core-dump-handler/testing/kernel/storm'
import { until } from '@core-dump-handler/testing/until'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

function prepareAgent(env: Record<string, string>): Agent {
  const agent = new Agent(env)
  onTestFinished(() => agent.dispose())
  return agent
}

/** What `task` gives while the kernel runs the agent's composer; then all composers have ended. */
async function whilePrepared<T>(agent: Agent, task: () => Promise<T>): Promise<T> {
  return withKernel(async (before) => {
    await agent.start()
    try {
      const result = await task()
      await until('composers have ended', () => composersOf(agent).length === 0, 60_000)
      return result
    } finally {
      expect(await agent.command('remove')).toMatchObject({ code: 0 })
      expect(coreSysctls()).toEqual(before)
    }
  })
}

async function manifestsOf(agent: Agent): Promise<BundleManifest[]> {
  const names = readdirSync(agent.coreDir).filter((name) => name.endsWith('.zip'))
  const bundles = await Promise.all(names.map((name) => Bundle.open(join(agent.coreDir, name))))
  return bundles.map(({ manifest }) => manifest)
}

realParts('many crashes', () => {
  test('at one moment become 128 bundles or counts, in bounded memory [storm-1]', async () => {
    const agent = prepareAgent({ COMP_RATE_CRASHES: '0' })
    const { directory, hostDir } = agent
    const seen = await whilePrepared(agent, () =>
      storm({ directory, hostDir, crashes: 128, mebibytes: 1 }),
    )
    const pids = new Set(seen.pids)
    const ours = (await manifestsOf(agent)).filter(({ crash }) => pids.has(crash.hostPid ?? 0))
    expect(new Set(ours.map(({ crash }) => crash.hostPid)).size).toBe(ours.length)
    expect(ours.length + seen.dropped).toBe(128)
    expect(ours.every(({ core }) => core.complete)).toBe(true)
    // 1.5 GiB for all of them; the figures are those of `npm run bench -- storm`
    expect(seen.peakPssMiB).toBeLessThan(1.5 * 1024)
  })

  test('in a loop become bundles up to the rate, one record, and a count [storm-2, B29]', async () => {
    const agent = prepareAgent({ COMP_RATE_CRASHES: '3', COMP_RATE_WINDOW_SECONDS: '86400' })
    await whilePrepared(agent, async () => {
      for (let i = 0; i < 8; i++) await runUntilCrash(testProgram('crasher'), ['-l', '0'])
    })
    const mine = (await manifestsOf(agent)).filter(
      ({ crash }) => crash.exe === testProgram('crasher'),
    )
    const cores = mine.filter(({ core }) => core.complete)
    const reasons = mine.flatMap(({ core }) => (core.complete ? [] : [core.reason ?? '']))
    expect(cores).toHaveLength(3)
    expect(reasons.toSorted()).toEqual([
      // `remove` closes the window before its time
      expect.stringMatching(/^4 more crashes of this workload were not kept/),
      expect.stringMatching(/^Crash 4 of this workload within 86400 s/),
    ])
  })

  test('on a disk of 100 MB leave the reserved space, and all 500 have a bundle [storm-3, B29]', async () => {
    const agent = prepareAgent({ COMP_RATE_CRASHES: '0', COMP_MIN_FREE_BYTES: String(30 << 20) })
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'none', agent.coreDir])
    const pids = await whilePrepared(agent, async () => {
      const all: number[] = []
      const crashing = async (): Promise<void> => {
        while (all.length < 500) {
          const place = all.push(0) - 1
          all[place] = await runUntilCrash(testProgram('crasher'), ['-l', '0', '-m', '1'])
        }
      }
      await Promise.all(Array.from({ length: 8 }, crashing))
      return all
    })
    const manifests = await manifestsOf(agent)
    const stored = new Set(manifests.map(({ crash }) => crash.hostPid))
    expect(pids.filter((pid) => !stored.has(pid))).toEqual([])
    const without = manifests.filter(({ core }) => !core.complete)
    expect(without.length).toBeGreaterThan(100)
    for (const { core } of without) expect(core.reason).toMatch(/bytes free/)
    const { stdout } = await execa('df', ['--output=avail', '-B1', agent.coreDir])
    expect(Number(stdout.split('\n')[1])).toBeGreaterThan(10 << 20)
  }, 300_000)

  test('of a composer do not start a composer [storm-4, attack-7]', async () => {
    const agent = prepareAgent({ COMP_CONCURRENT_DRAINS: '1' })
    await whilePrepared(agent, async () => {
      const crashed = runUntilCrash(testProgram('crasher'), ['-l', '0', '-m', '500'])
      const pid = await until('a composer is at work', () => composersOf(agent)[0])
      expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +1 /m)
      // its first act
      const adjustment = (): string => readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()
      await until('it is offered to the OOM killer', () => adjustment() === '200')
      process.kill(pid, 'SIGSEGV')
      await crashed
      await sleep(500)
      expect(composersOf(agent)).toEqual([])
    })
    const crashes = (await manifestsOf(agent)).map(({ crash }) => crash.exe)
    expect(crashes.filter((exe) => exe?.startsWith(agent.hostDir))).toEqual([])
  })
})

/** Composers of the kernel: it passes them the pid of the crashed process. */
function composersOf({ hostDir }: Agent): number[] {
  return processesOf(hostDir).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0-P=')
    } catch {
      return false
    }
  })
}
