import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Crash, crashingDuring, type Seen } from '@core-dump-handler/testing/kernel/crash-loop'
import { setCoreSysctls } from '@core-dump-handler/testing/kernel/kernel'
import { memoryCgroup } from '@core-dump-handler/testing/kernel/memory-cgroup'
import type { Program } from '@core-dump-handler/testing/program'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'
import { type Outcomes, type Pair, withPair } from './pair.ts'

/** Programs that crash one after another, at the same time. */
const LOOPS = 4
/** DESIGN: while one of the two runs, no crash is without a handler for longer. */
const MAX_GAP_MS = 200
const STEADY_MS = 500

interface Failure {
  readonly what: string
  /** Resolves with the moment where that is later. */
  readonly fail: (pair: Pair) => void | Promise<number>
  /** Crashes that may be lost: none, those at the moment of the failure, those until one of the two runs. */
  readonly loses: 'none' | 'in flight' | 'until one runs'
}

const kill = (pid: number, signal: NodeJS.Signals = 'SIGKILL'): boolean => process.kill(pid, signal)

function killBoth({ agent, receiver }: Pair): void {
  kill(receiver.daemon.pid)
  kill(agent.daemon.pid)
}

const FAILURES: readonly Failure[] = [
  {
    what: 'the receiver is ended',
    fail: ({ receiver }) => void kill(receiver.daemon.pid, 'SIGTERM'),
    loses: 'none',
  },
  {
    what: 'the agent is ended',
    fail: ({ agent }) => void kill(agent.daemon.pid, 'SIGTERM'),
    loses: 'none',
  },
  {
    what: 'both are ended, as by an update or a drain',
    fail({ agent, receiver }) {
      kill(receiver.daemon.pid, 'SIGTERM')
      kill(agent.daemon.pid, 'SIGTERM')
    },
    loses: 'none',
  },
  {
    what: 'the agent is killed',
    fail: ({ agent }) => void kill(agent.daemon.pid),
    loses: 'none',
  },
  {
    what: 'the receiver is killed',
    fail: ({ receiver }) => receiver.kill(),
    loses: 'in flight',
  },
  {
    what: 'the receiver is killed for its memory',
    fail: ({ receiver }) => exhaustMemory(receiver.daemon),
    loses: 'in flight',
  },
  { what: 'both are killed at once', fail: killBoth, loses: 'until one runs' },
  {
    what: 'the node is started again',
    fail(pair) {
      killBoth(pair)
      setCoreSysctls({
        'kernel.core_pattern': 'core',
        'kernel.core_pipe_limit': '0',
        'fs.suid_dumpable': '0',
      })
    },
    loses: 'until one runs',
  },
]

coreSockets('a crash loop while an agent and its receiver fail', () => {
  test.for(FAILURES)(
    'loses $loses when $what [receiver-1, receiver-3, receiver-12, receiver-13]',
    async ({ what, fail, loses }) => {
      let failedMs = 0
      let downMs = 0
      let servedMs = Infinity
      let crashes: readonly Crash[] = []
      let outcomes: Outcomes = { socket: 0, pipe: 0, unfinished: 0, lost: [], silent: [] }
      await withPair(async (one) => {
        const { agent, receiver } = one
        const run = await crashingDuring(async () => {
          await sleep(STEADY_MS)
          failedMs = performance.now()
          downMs = (await fail(one)) ?? failedMs
          if (loses !== 'until one runs') await one.fallsBack()
          await sleep(STEADY_MS)
          const ended = [agent, receiver].filter(({ daemon }) => !daemon.running())
          await Promise.all(ended.map((each) => each.start()))
          if (loses === 'until one runs') servedMs = performance.now()
          await one.usesSocket()
          await sleep(STEADY_MS)
        }, LOOPS)
        crashes = run.crashes
        if (loses !== 'until one runs') servedMs = firstPipe(run.patterns, failedMs)
        outcomes = await one.outcomesOf(crashes)
      })
      const { lost, silent, ...stored } = outcomes
      const gapMs = servedMs - downMs
      const counts = {
        crashes: crashes.length,
        ...stored,
        lost: lost.length,
        silent: silent.length,
      }
      process.stderr.write(`${what}: ${JSON.stringify(counts)}, ${Math.round(gapMs)} ms\n`)
      if (loses !== 'until one runs') expect(gapMs).toBeLessThan(MAX_GAP_MS)
      const early = lost.filter(({ endMs }) => endMs < failedMs)
      const late = lost.filter(({ startMs }) => startMs > servedMs)
      expect({ early, late }).toEqual({ early: [], late: [] })
      if (loses === 'none') expect({ ...stored, lost }).toMatchObject({ unfinished: 0, lost: [] })
      if (loses === 'in flight') {
        // of each loop the one that the receiver had accepted
        expect(lost.length).toBeLessThanOrEqual(LOOPS)
        expect(silent).toEqual([])
      }
      expect(stored.socket).toBeGreaterThan(0)
      expect(stored.pipe).toBeGreaterThan(0)
    },
  )
})

/** When the composer's pattern was first seen after a moment. */
function firstPipe(patterns: readonly Seen[], sinceMs: number): number {
  const seen = patterns.find(({ atMs, pattern }) => atMs >= sinceMs && pattern.startsWith('|'))
  return seen?.atMs ?? Infinity
}

/** Has the kernel end the largest process of a cgroup that needs more memory than it may have. */
async function exhaustMemory({ pid, ended }: Program): Promise<number> {
  const cgroup = memoryCgroup(8)
  cgroup.add(pid)
  const endedMs = ended.then(() => performance.now())
  const enter = 'echo 0 > "$0" && exec "$@"'
  const eater = [testProgram('crasher'), '-l', '0', '-m', '32', '-w', '60000']
  await once(spawn('sh', ['-c', enter, cgroup.procs, ...eater], { stdio: 'ignore' }), 'exit')
  await endedMs
  await until('all of them have ended', () => {
    cgroup.remove()
    return true
  })
  return endedMs
}
