/**
 * What waiting bundles cost: one look at their directory, and the agent as a whole while its store is
 * down, idle and looking every second.
 */
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openDestination } from '@core-dump-handler/upload'
import { Backlog } from '../../packages/upload/src/queue/backlog.ts'
import { Scanner } from '../../packages/upload/src/queue/scanner.ts'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { bundleMaker } from '@core-dump-handler/testing/bundle/small-bundle'

const USAGE = `Usage: npm run bench -- rescan [--files 10,1000,20000] [--looks 20] [--seconds 8]

Bundles wait for a store that is down: the cost of one look at them, and that of the agent.
`
const TICKS_PER_SECOND = 100
const SETTLE_MS = 4000
const UNCHANGED_MS = 2500
// no server listens there
const DOWN = {
  S3_ENDPOINT: 'http://127.0.0.1:1',
  S3_BUCKET_NAME: 'bucket',
  S3_ACCESS_KEY: 'AKBENCH',
  S3_SECRET: 'secret-of-the-bench',
}

const { values: options } = parseArgs({
  strict: false,
  options: {
    files: { type: 'string', default: '10,1000,20000' },
    looks: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '8' },
    help: { type: 'boolean' },
  },
})

interface Cost {
  readonly wallMs: number
  readonly cpuMs: number
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const [started, before] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(before)
  return { wallMs: performance.now() - started, cpuMs: (user + system) / 1000 }
}

/** The first look, which asks for sizes; the median of those that follow, and of those at a directory long unchanged. */
async function looks(
  directory: string,
  count: number,
): Promise<Record<'first' | 'again' | 'unchanged', Cost>> {
  const scanner = new Scanner(
    directory,
    openDestination(`file:${tmpdir()}`),
    new Backlog(),
    () => {},
  )
  const look = (): Promise<Cost> => costOf(() => scanner.scan(AbortSignal.abort()))
  const many = async (): Promise<Cost> => {
    const costs: Cost[] = []
    for (let n = 0; n < count; n++) costs.push(await look())
    return {
      wallMs: median(costs.map((cost) => cost.wallMs)),
      cpuMs: median(costs.map((cost) => cost.cpuMs)),
    }
  }
  const [first, again] = [await look(), await many()]
  await sleep(UNCHANGED_MS)
  await look()
  return { first, again, unchanged: await many() }
}

/** CPU of a running agent, in ms per second, and its memory. */
async function agentCost(
  agent: Agent,
  trigger: Record<string, string>,
): Promise<{ msPerS: number; rssMiB: number }> {
  agent.set({ ...DOWN, ...trigger, LOG_LEVEL: 'error' })
  const daemon = await agent.start()
  const { pid } = daemon
  await sleep(SETTLE_MS)
  const before = cpuMs(pid)
  await sleep(Number(options.seconds) * 1000)
  const msPerS = (cpuMs(pid) - before) / Number(options.seconds)
  const rssMiB =
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  await daemon.stop()
  return { msPerS, rssMiB }
}

function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // user, system, and the same of children that ended: proc_pid_stat(5), fields 14 to 17
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return (ticks * 1000) / TICKS_PER_SECOND
}

async function run(files: number): Promise<Record<string, number | string>> {
  const agent = new Agent().spareKernel()
  try {
    const leave = bundleMaker(agent.coreDir)
    for (let n = 0; n < files; n++) await leave(`${n}-dump-1700000000-node-crasher-11`)
    const { first, again, unchanged } = await looks(agent.coreDir, Number(options.looks))
    const idle = await agentCost(agent, { USE_INOTIFY: 'true', INTERVAL: '' })
    const busy = await agentCost(agent, { USE_INOTIFY: 'false', INTERVAL: '1000' })
    return {
      files,
      'first look, ms (CPU)': cell(first),
      'look, ms (CPU)': cell(again),
      'unchanged, ms (CPU)': cell(unchanged),
      'agent waiting, CPU ms/s': idle.msPerS.toFixed(1),
      'looking each second, CPU ms/s': busy.msPerS.toFixed(1),
      'agent RSS MiB': Math.round(Math.max(idle.rssMiB, busy.rssMiB)),
    }
  } finally {
    await agent.dispose()
  }
}

function cell({ wallMs, cpuMs: cpu }: Cost): string {
  return `${wallMs.toFixed(2)} (${cpu.toFixed(2)})`
}

if (options.help) process.stdout.write(USAGE)
else {
  const rows = []
  for (const text of String(options.files).split(',')) rows.push(await run(Number(text)))
  console.table(rows)
}
