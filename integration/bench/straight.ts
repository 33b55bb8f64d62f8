/**
 * A core on its way to an S3 server of this machine, straight and by the disk, in turns: how long the
 * process would be held, until the object is verified, and what composer and agent take of memory.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { compile } from '../../packages/ingest/bench/compile.ts'
import { Cores } from '../../packages/ingest/bench/cores.ts'
import { markdownTable, type Column } from '../../scripts/bench/markdown-table.ts'
import { median } from '../../scripts/bench/median.ts'
import { list, mebibytes, positiveInteger } from '../../scripts/bench/parse.ts'
import { COMMON_OPTIONS, COMMON_USAGE, publish, tell } from '../../scripts/bench/publish.ts'
import { Agent, s3Settings } from '../harness/agent.ts'
import { removeScratch, scratchDirectory } from '../harness/scratch.ts'
import { until } from '../harness/until.ts'
import { startVersitygw } from '../harness/versitygw.ts'

const USAGE = `Usage: npm run bench -- straight [options]

From the first byte of a core to its verified object, with STRAIGHT_TO_STORE and without. The core
is fed page by page into a pipe, as the kernel does it; nothing of the kernel is changed.

  --size SIZE      of the core (default 1GiB)
  --kind KIND      half-zero, compressible, random; or a path (default half-zero)
  --rounds N       runs of each way, after one that does not count (default 3)
  --ways LIST      disk; straight; patient: straight, however long the store may hold the process
                   (default disk,straight,patient)
  --setting N=V    of the composer, such as COMPRESSION_MODE=store (repeatable)
${COMMON_USAGE}`

const WAYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  disk: { STRAIGHT_TO_STORE: 'false' },
  straight: {},
  patient: { STRAIGHT_HOLD_MS: '600000' },
}

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    size: { type: 'string', default: '1GiB' },
    kind: { type: 'string', default: 'half-zero' },
    rounds: { type: 'string', default: '3' },
    ways: { type: 'string', default: 'disk,straight,patient' },
    setting: { type: 'string', multiple: true, default: [] },
  },
})

interface Run {
  readonly way: string
  /** Which way it went in the end. */
  readonly went: string
  readonly heldSeconds: number
  readonly verifiedSeconds: number
  readonly composerAnonMib: number
  readonly agentRssMib: number
}

/** One core through a composer of the agent, until the agent says that it is verified. */
async function follow(agent: Agent, feeder: string, core: string, way: string): Promise<Run> {
  const settings = Object.fromEntries(options.setting.map((text) => text.split('=', 2)))
  const before = verified(agent)
  const started = performance.now()
  const args = [core, '--', join(agent.hostDir, 'cdc')]
  const facts = ['-c=0', '-e=web', '-p=1', '-s=11', '-t=1700000000', '-h=', '-E=!usr!bin!web']
  const { stdout } = await promisify(execFile)(
    '/bin/sh',
    ['-c', 'exec "$0" "$@" 3>&1', feeder, ...args, ...facts],
    {
      env: { PATH: process.env['PATH'], ...settings, ...WAYS[way] },
    },
  )
  await until('the object is verified', () => verified(agent) > before, 120_000)
  const verifiedSeconds = (performance.now() - started) / 1000
  const path = stdout.split('\n')[0] ?? ''
  const fed = JSON.parse(/\{.*\}/.exec(stdout)?.[0] ?? '{}') as Record<string, number>
  const status = readFileSync(`/proc/${agent.daemon.pid}/status`, 'utf8')
  return {
    way,
    went: path.startsWith('s3:')
      ? 'straight'
      : path.endsWith('.rest')
        ? 'straight, then disk'
        : 'disk',
    heldSeconds: fed['drainSeconds'] ?? Number.NaN,
    verifiedSeconds,
    composerAnonMib: fed['rssAnonMib'] ?? Number.NaN,
    agentRssMib: Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024,
  }
}

function verified(agent: Agent): number {
  return agent.output.match(/stored and verified|is stored and verified/g)?.length ?? 0
}

async function main(): Promise<Run[]> {
  const rounds = positiveInteger('--rounds', options.rounds)
  const ways = list(options.ways)
  const store = await startVersitygw()
  const directory = scratchDirectory()
  const agent = new Agent({
    ...s3Settings(store),
    USE_INOTIFY: 'true',
    STRAIGHT_TO_STORE: 'true',
  }).spareKernel()
  try {
    mkdirSync(join(directory, 'programs'))
    const feeder = compile(join(directory, 'programs'), 'feeder')
    const cores = new Cores(join(directory, 'programs'), { heapMib: 430, cores: undefined })
    const core = await cores.of(options.kind, mebibytes('--size', options.size))
    tell(`${options.kind}: ${statSync(core).size} bytes`)
    await agent.start()
    const runs: Run[] = []
    for (let round = 0; round <= rounds; round++) {
      for (const way of ways) {
        const run = await follow(agent, feeder, core, way)
        if (round > 0) runs.push(run)
        await store.deleteAll('')
      }
    }
    return runs
  } finally {
    await agent.dispose()
    await store.stop()
    removeScratch(directory)
  }
}

if (options.help) process.stdout.write(USAGE)
else {
  const runs = await main()
  const of = (
    way: string,
    figure: 'heldSeconds' | 'verifiedSeconds' | 'composerAnonMib' | 'agentRssMib',
  ): number[] => runs.filter((run) => run.way === way).map((run) => run[figure])
  const ways = [...new Set(runs.map(({ way }) => way))]
  const columns: Column<string>[] = [
    ['way', (way) => way],
    ['held s', (way) => median(of(way, 'heldSeconds')).toFixed(2)],
    ['verified s', (way) => median(of(way, 'verifiedSeconds')).toFixed(2)],
    ['least', (way) => Math.min(...of(way, 'verifiedSeconds')).toFixed(2)],
    ['most', (way) => Math.max(...of(way, 'verifiedSeconds')).toFixed(2)],
    ['composer anon MiB', (way) => Math.max(...of(way, 'composerAnonMib')).toFixed(0)],
    ['agent peak MiB', (way) => Math.max(...of(way, 'agentRssMib')).toFixed(0)],
    [
      'went',
      (way) =>
        [...new Set(runs.filter((run) => run.way === way).map(({ went }) => went))].join('; '),
    ],
  ]
  const title = `first byte to verified object, ${options.size} ${options.kind}, medians of ${options.rounds}`
  if (!options.json) process.stdout.write(markdownTable(title, columns, ways))
  const figures = Object.fromEntries(
    ways.flatMap((way) => [
      [`straight ${way} ${options.size} verified s`, median(of(way, 'verifiedSeconds'))],
      [`straight ${way} ${options.size} held s`, median(of(way, 'heldSeconds'))],
    ]),
  )
  publish(options, { figures, runs })
}
