import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Crash, crashingDuring } from '@core-dump-handler/testing/kernel/crash-loop'
import { setCoreSysctls } from '@core-dump-handler/testing/kernel/kernel'
import { memoryCgroup } from '@core-dump-handler/testing/kernel/memory-cgroup'
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
  readonly fail: (pair: Pair) => void | Promise<void>
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
    fail: ({ receiver }) => exhaustMemory(receiver.daemon.pid),
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
      let servedMs = 0
      let crashes: readonly Crash[] = []
      let log = ''
      let outcomes: Outcomes = { socket: 0, pipe: 0, incomplete: 0, lost: [] }
      await withPair(async (one) => {
        const { agent, receiver } = one
        crashes = await crashLoops(async () => {
          await sleep(STEADY_MS)
          failedMs = performance.now()
          await fail(one)
          if (loses !== 'until one runs') await one.fallsBack()
          servedMs = performance.now()
          await sleep(STEADY_MS)
          const ended = [agent, receiver].filter(({ daemon }) => !daemon.running())
          await Promise.all(ended.map((each) => each.start()))
          if (loses === 'until one runs') servedMs = performance.now()
          await one.usesSocket()
          await sleep(STEADY_MS)
        })
        // looks at once for what a killed one had begun
        if (loses !== 'none') await one.restartAgent()
        outcomes = await one.outcomesOf(crashes)
        log = one.agent.output
      })
      const { lost, ...stored } = outcomes
      const gapMs = servedMs - failedMs
      const counts = { crashes: crashes.length, ...stored, lost: lost.length }
      process.stderr.write(`${what}: ${JSON.stringify(counts)}, ${Math.round(gapMs)} ms\n`)
      if (loses !== 'until one runs') expect(gapMs).toBeLessThan(MAX_GAP_MS)
      const early = lost.filter(({ endMs }) => endMs < failedMs)
      const late = lost.filter(({ startMs }) => startMs > servedMs)
      expect({ early, late }).toEqual({ early: [], late: [] })
      if (loses === 'none') expect({ ...stored, lost }).toMatchObject({ incomplete: 0, lost: [] })
      if (loses === 'in flight') {
        // one of each loop had no bundle yet
        expect(lost.length).toBeLessThanOrEqual(LOOPS)
        expect(lost.filter(({ pid }) => !isRecorded(pid, log))).toEqual([])
      }
      expect(stored.socket).toBeGreaterThan(0)
      expect(stored.pipe).toBeGreaterThan(0)
    },
  )
})

/** Whether the agent's log has the loss of a crash: by the receiver's report, or the kernel's. */
function isRecorded(pid: number, log: string): boolean {
  const lists = [...log.matchAll(/"reason":"RECEIVER_ENDED".*"pids":\[([\d,]*)\]/g)]
  const reported = lists.flatMap(([, pids = '']) => pids.split(',')).map(Number)
  return reported.includes(pid) || log.includes(`coredump: ${pid}(`)
}

/** Crashes of several programs at the same time while `task` runs. */
async function crashLoops(task: () => Promise<void>): Promise<readonly Crash[]> {
  const over = task()
  over.catch(() => {}) // each loop rejects with it
  const loops = Array.from({ length: LOOPS }, () => crashingDuring(() => over))
  return (await Promise.all(loops)).flatMap(({ crashes }) => crashes)
}

/** Has the kernel end the largest process of a cgroup that needs more memory than it may have. */
async function exhaustMemory(pid: number): Promise<void> {
  const cgroup = memoryCgroup(8)
  cgroup.add(pid)
  const enter = 'echo 0 > "$0" && exec "$@"'
  const args = [
    '-c',
    enter,
    cgroup.procs,
    testProgram('crasher'),
    '-l',
    '0',
    '-m',
    '32',
    '-w',
    '60000',
  ]
  const eater = spawn('sh', args, { stdio: 'ignore' })
  await once(eater, 'exit')
  await until('all of them have ended', () => {
    cgroup.remove()
    return true
  })
}
