/**
 * How long a crash keeps the process, through the real kernel, and what the composer takes of memory.
 * Handlers take turns, so that the machine's other work falls on all of them; the time is that of a
 * program from its start to its death.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent } from '../harness/agent.ts'
import { coreSysctls, setCoreSysctl, withKernel } from '../harness/kernel.ts'
import { processesOf } from '../harness/scratch.ts'
import { until } from '../harness/until.ts'
import { victim } from '../harness/victims.ts'

const USAGE = `Usage: npm run bench -- held [--rounds 15] [--mib 1]

Needs root: it crashes a program of --mib MiB, --rounds times for each handler.
`

const { values: options } = parseArgs({
  strict: false,
  options: {
    rounds: { type: 'string', default: '15' },
    mib: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
})
const rounds = Number(options.rounds)
const mebibytes = String(options.mib)

/** Milliseconds from the start of a program to its death by a crash. */
async function crash(): Promise<number> {
  const started = performance.now()
  await once(spawn(victim('crasher'), ['-l', '0', '-m', mebibytes], { stdio: 'ignore' }), 'exit')
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

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

async function main(): Promise<void> {
  const agent = new Agent({ INTERVAL: '600000' })
  agent.set({ DESTINATION: `file:${agent.directory}/out` })
  const empty = join(agent.directory, 'empty')
  writeFileSync(empty, `#!${process.execPath}\nprocess.stdin.on('data', () => {})\n`, {
    mode: 0o755,
  })
  const shell = join(agent.directory, 'shell')
  writeFileSync(shell, '#!/bin/sh\nexec cat >/dev/null\n', { mode: 0o755 })

  try {
    await withKernel(async () => {
      await agent.start()
      const handlers = {
        'no handler': 'core',
        'sh -c cat': `|${shell}`,
        'empty Node': `|${empty}`,
        composer: coreSysctls()['kernel.core_pattern'],
      }
      const times: Record<string, number[]> = {}
      for (let round = 0; round < rounds; round++) {
        for (const [name, pattern] of Object.entries(handlers)) {
          setCoreSysctl('kernel.core_pattern', pattern)
          ;(times[name] ??= []).push(await crash())
          await until('the composer has ended', () => processesOf(agent.hostDir).length === 0)
        }
      }
      const [memory] = await Promise.all([watchMemory(agent.hostDir), crash()])
      const none = median(times['no handler'] ?? [])
      process.stdout.write(`${rounds} crashes of ${mebibytes} MiB each, in turns; milliseconds\n`)
      for (const [name, values] of Object.entries(times)) {
        const held = (median(values) - none).toFixed(0)
        process.stdout.write(
          `${name.padEnd(12)} median ${median(values).toFixed(0).padStart(5)}  least ${Math.min(
            ...values,
          )
            .toFixed(0)
            .padStart(5)}  over no handler ${held.padStart(5)}\n`,
        )
      }
      process.stdout.write(
        `composer     RSS ${memory.rss.toFixed(0)} MiB, RssAnon ${memory.anonymous.toFixed(0)} MiB; ${readdirSync(agent.coreDir).length} bundles\n`,
      )
      await agent.command('remove')
    })
  } finally {
    await agent.dispose()
  }
}

if (options.help) {
  process.stdout.write(USAGE)
} else if (process.getuid?.() === 0) {
  await main()
} else {
  process.stdout.write('left out: only root may say what the kernel does with cores\n')
}
