/**
 * How long a crash keeps the process, through the real kernel, and what the composer takes of memory.
 * Handlers take turns, so that the machine's other work falls on all of them; the time is that of a
 * program from its start to its death.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { markdownTable, type Column } from '@core-dump-handler/testing/bench/markdown-table'
import { median } from '@core-dump-handler/testing/bench/median'
import { positiveInteger, variables } from '@core-dump-handler/testing/bench/parse'
import {
  COMMON_OPTIONS,
  COMMON_USAGE,
  publish,
  log,
} from '@core-dump-handler/testing/bench/publish'
import { coreEntries, ENTRY_USAGE } from '@core-dump-handler/testing/bench/entries'
import { endOnSignals } from '@core-dump-handler/testing/end-on-signals'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { coreSysctls, setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { processesOf } from '@core-dump-handler/testing/processes'
import { until } from '@core-dump-handler/testing/until'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { whyNoKernel } from '@core-dump-handler/testing/kernel/kernel'

const USAGE = `Usage: npm run bench -- held [options]

How long a crash holds its process, through the real kernel and with default settings, beside handlers
that do nothing. Needs root: while it runs, all crashes of this machine come here.

  --rounds N       crashes for each handler, after one that does not count (default 15)
  --mib N          memory of the program that crashes; its core has half a MiB more (default 1)
  --threads N      threads of that program, beside its first (default 0)
${ENTRY_USAGE}
  --setting N=V    of the agent, such as COMP_COMPRESSION_MODE=store (repeatable)
  --compare N=V    a second composer with this variable in its .env, such as REPORT=off, takes turns
                   with the first (repeatable)
${COMMON_USAGE}`

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    entry: { type: 'string' },
    rounds: { type: 'string', default: '15' },
    mib: { type: 'string', default: '1' },
    threads: { type: 'string', default: '0' },
    setting: { type: 'string', multiple: true, default: [] },
    compare: { type: 'string', multiple: true, default: [] },
  },
})
const rounds = positiveInteger('--rounds', options.rounds)
const mebibytes = String(positiveInteger('--mib', options.mib))

interface Held {
  readonly name: string
  readonly ms: readonly number[]
  /** Median, less that of a crash without a handler. */
  readonly overNoneMs: number
}

/** Milliseconds from the start of a program to its death by a crash. */
async function crash(): Promise<number> {
  const started = performance.now()
  const args = ['-l', '0', '-m', mebibytes, '-T', options.threads]
  await once(spawn(testProgram('crasher'), args, { stdio: 'ignore' }), 'exit')
  return performance.now() - started
}

/** Largest memory in MiB of what runs out of `directory`, watched until it ends. */
async function watchMemory(directory: string): Promise<{ rss: number; anonymous: number }> {
  const peak = { rss: 0, anonymous: 0 }
  const end = performance.now() + 30_000
  for (let seen = false; performance.now() < end; await sleep(1)) {
    const pids = processesOf(directory)
    if (pids.length === 0 && seen) break
    for (const pid of pids) {
      seen = true
      const status = statusOf(pid)
      peak.rss = Math.max(peak.rss, field(status, 'VmHWM'))
      peak.anonymous = Math.max(peak.anonymous, field(status, 'RssAnon'))
    }
  }
  return peak
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024
}

/** Another installation of the composer in `home`, with one variable more. */
function installWith(variable: string, hostDir: string, home: string): void {
  mkdirSync(home)
  for (const { name } of readdirSync(hostDir, { withFileTypes: true }).filter((e) => e.isFile())) {
    copyFileSync(join(hostDir, name), join(home, name))
  }
  appendFileSync(join(home, '.env'), `\n${variable}\n`)
}

/** In MiB, of the composer or of the receiver. */
interface Memory {
  readonly name: string
  readonly rssMib: number
  readonly anonMib: number
}

async function main(): Promise<{ handlers: Held[]; memory: Memory[] }> {
  const agent = new Agent({
    INTERVAL: '600000',
    COMP_RATE_CRASHES: '0',
    ...variables(options.setting),
  })
  agent.set({ DESTINATION: `file:${agent.directory}/out` })
  const entries = coreEntries(options.entry)
  const receiver = entries.includes('socket') ? new TestReceiver({}, agent) : undefined
  const empty = join(agent.directory, 'empty')
  writeFileSync(empty, `#!${process.execPath}\nprocess.stdin.on('data', () => {})\n`, {
    mode: 0o755,
  })
  const shell = join(agent.directory, 'shell')
  writeFileSync(shell, '#!/bin/sh\nexec cat >/dev/null\n', { mode: 0o755 })

  try {
    return await withKernel(async () => {
      await agent.start()
      await receiver?.start()
      const composer = coreSysctls()['kernel.core_pattern']
      const compared = options.compare.map((variable) => {
        const home = join(agent.directory, variable)
        installWith(variable, agent.hostDir, home)
        return { home, name: `composer, ${variable}` }
      })
      const homes = [agent.hostDir, ...compared.map(({ home }) => home)]
      const handlers = {
        'no handler': 'core',
        'sh -c cat': `|${shell}`,
        'empty Node': `|${empty}`,
        ...(entries.includes('pipe') && { composer }),
        ...Object.fromEntries(
          compared.map(({ name, home }) => [name, composer.replace(agent.hostDir, home)]),
        ),
        ...(receiver && { receiver: receiver.pattern }),
      }
      const times: Record<string, number[]> = {}
      for (let round = 0; round <= rounds; round++) {
        for (const [name, pattern] of Object.entries(handlers)) {
          setCoreSysctl('kernel.core_pattern', pattern)
          const ms = await crash()
          if (round > 0) (times[name] ??= []).push(ms)
          await until('the composer has ended', () =>
            homes.every((home) => processesOf(home).length === 0),
          )
        }
      }
      const memory: Memory[] = []
      if (handlers.composer !== undefined) {
        setCoreSysctl('kernel.core_pattern', handlers.composer)
        const [peak] = await Promise.all([watchMemory(agent.hostDir), crash()])
        memory.push({ name: 'composer', rssMib: peak.rss, anonMib: peak.anonymous })
      }
      if (receiver !== undefined) {
        const { peak, anonymous } = receiver.memory()
        memory.push({ name: 'receiver', rssMib: peak, anonMib: anonymous })
      }
      const none = median(times['no handler'] ?? [])
      await agent.command('remove')
      const held = Object.entries(times).map(([name, ms]) => {
        return { name, ms, overNoneMs: median(ms) - none }
      })
      return { handlers: held, memory }
    })
  } finally {
    await receiver?.dispose()
    await agent.dispose()
  }
}

const COLUMNS: readonly Column<Held>[] = [
  ['ms', ({ name }) => name],
  ['median', ({ ms }) => median(ms).toFixed(0)],
  ['least', ({ ms }) => Math.min(...ms).toFixed(0)],
  ['most', ({ ms }) => Math.max(...ms).toFixed(0)],
  ['over no handler', ({ overNoneMs }) => overNoneMs.toFixed(0)],
]

endOnSignals()
const why = whyNoKernel()
if (options.help) process.stdout.write(USAGE)
else if (why !== undefined) {
  log(`Left out: held: ${why}`)
  publish(options, { figures: {}, missing: [`held: ${why}`] })
} else {
  const { handlers, memory } = await main()
  const title = `a program of ${mebibytes} MiB from start to death, ${rounds} crashes in turns`
  if (!options.json) {
    process.stdout.write(markdownTable(title, COLUMNS, handlers))
    for (const { name, rssMib, anonMib } of memory) {
      const figures = `RSS ${rssMib.toFixed(0)} MiB, RssAnon ${anonMib.toFixed(0)} MiB`
      process.stdout.write(`${name}: ${figures}\n`)
    }
  }
  const figures = Object.fromEntries(
    handlers.map(({ name, overNoneMs }) => [`held ${mebibytes} ${name} ms`, overNoneMs]),
  )
  publish(options, { figures, rounds, handlers, memory })
}
