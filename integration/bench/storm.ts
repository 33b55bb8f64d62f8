/**
 * Many crashes at one moment, through the real kernel: how long processes are held, what all composers
 * together take of memory, and what becomes of each crash. For the time of each run the whole
 * machine's crashes come here.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { markdownTable, type Column } from '@core-dump-handler/testing/bench/markdown-table'
import { median } from '@core-dump-handler/testing/bench/median'
import { list, variables } from '@core-dump-handler/testing/bench/parse'
import {
  COMMON_OPTIONS,
  COMMON_USAGE,
  publish,
  log,
} from '@core-dump-handler/testing/bench/publish'
import { type CoreEntry, coreEntries, ENTRY_USAGE } from '@core-dump-handler/testing/bench/entries'
import { endOnSignals } from '@core-dump-handler/testing/end-on-signals'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { until } from '@core-dump-handler/testing/until'
import { storm, type Storm } from '@core-dump-handler/testing/kernel/storm'
import { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { whyNoKernel } from '@core-dump-handler/testing/kernel/kernel'

const USAGE = `Usage: npm run bench -- storm [options]

So many programs of so many MiB crash at one moment. Needs root: while it runs, all crashes of this
machine come here.

  --runs LIST      CRASHESxMIB (default 128x1,500x1,32x100)
${ENTRY_USAGE}
  --setting N=V    of the agent, such as COMP_CONCURRENT_DRAINS=4 (repeatable); --set is the same
${COMMON_USAGE}`

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    entry: { type: 'string' },
    runs: { type: 'string', default: '128x1,500x1,32x100' },
    setting: { type: 'string', multiple: true, default: [] },
    set: { type: 'string', multiple: true, default: [] },
  },
})

/** What became of the crashes of one run. */
interface Run extends Storm {
  readonly name: string
  readonly whole: number
  readonly records: number
  readonly lost: number
  readonly medianHeldMs: number
  readonly problems: Readonly<Record<string, number>>
}

const COLUMNS: readonly Column<Run>[] = [
  ['crashes x MiB', ({ name }) => name],
  ['first released s', ({ firstReleasedMs }) => (firstReleasedMs / 1000).toFixed(1)],
  ['last s', ({ lastReleasedMs }) => (lastReleasedMs / 1000).toFixed(1)],
  ['over s', ({ overMs }) => (overMs / 1000).toFixed(1)],
  ['median held ms', ({ medianHeldMs }) => medianHeldMs.toFixed(0)],
  ['peak PSS MiB', ({ peakPssMiB }) => peakPssMiB.toFixed(0)],
  ['composers', ({ peakComposers }) => String(peakComposers)],
  ['whole', ({ whole }) => String(whole)],
  ['without core', ({ records }) => String(records)],
  ['dropped by kernel', ({ dropped }) => String(dropped)],
  ['lost', ({ lost }) => String(lost)],
]

async function run(entry: CoreEntry, crashes: number, mebibytes: number): Promise<Run> {
  const agent = new Agent({
    COMP_RATE_CRASHES: '0',
    ...variables([...options.set, ...options.setting]),
  })
  const receiver = entry === 'socket' ? new TestReceiver({}, agent) : undefined
  try {
    const result = await withKernel(async () => {
      await agent.start()
      try {
        const { directory, hostDir } = agent
        if (receiver === undefined) return await storm({ directory, hostDir, crashes, mebibytes })
        await receiver.start()
        setCoreSysctl('kernel.core_pattern', receiver.pattern)
        const stormed = await storm({ directory, hostDir, crashes, mebibytes })
        await until('all bundles', () => receiver.bundleNames.length >= crashes, 60_000)
        // of one process, not of all composers together
        return { ...stormed, peakPssMiB: receiver.memory().peak }
      } finally {
        await agent.command('remove')
      }
    })
    const pids = new Set(result.pids)
    let whole = 0
    let records = 0
    const held: number[] = []
    const problems = new Map<string, number>()
    for (const name of readdirSync(agent.coreDir).filter((file) => file.endsWith('.zip'))) {
      const { manifest } = await Bundle.open(join(agent.coreDir, name))
      if (!pids.has(manifest.crash.hostPid ?? 0)) continue
      if (manifest.core.complete) whole++
      else records++
      held.push(manifest.timings.heldMs)
      for (const { code } of manifest.problems) problems.set(code, (problems.get(code) ?? 0) + 1)
    }
    return {
      ...result,
      name: `${crashes}x${mebibytes} ${entry}`,
      whole,
      records,
      lost: crashes - whole - records - result.dropped,
      medianHeldMs: median(held),
      problems: Object.fromEntries(problems),
    }
  } finally {
    await receiver?.dispose()
    await agent.dispose()
  }
}

endOnSignals()
const why = whyNoKernel()
if (options.help) process.stdout.write(USAGE)
else if (why !== undefined) {
  log(`Left out: storm: ${why}`)
  publish(options, { figures: {}, missing: [`storm: ${why}`] })
} else {
  const runs: Run[] = []
  const figures: Record<string, number> = {}
  const entries = coreEntries(options.entry)
  for (const text of list(options.runs)) {
    const [crashes = 0, mebibytes = 0] = text.split('x').map(Number)
    for (const entry of entries) {
      const name = entry === 'pipe' ? `storm ${text}` : `storm ${text} ${entry}`
      log(name)
      const done = await run(entry, crashes, mebibytes)
      runs.push(done)
      figures[`${name} last released s`] = done.lastReleasedMs / 1000
      figures[`${name} lost`] = done.lost
      figures[`${name} peak PSS MiB`] = done.peakPssMiB
      for (const [code, count] of Object.entries(done.problems)) log(`${name}: ${count} × ${code}`)
    }
  }
  if (!options.json) process.stdout.write(markdownTable('storms', COLUMNS, runs))
  publish(options, { figures, runs })
}
