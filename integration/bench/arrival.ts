/**
 * From a crash to its verified object: through the real kernel, the composer or the receiver, and the
 * agent with default settings, to an S3 server on this machine; and where the time goes. The entries
 * take turns, so that the machine's other work falls on both.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { markdownTable, type Column } from '@core-dump-handler/testing/bench/markdown-table'
import { median } from '@core-dump-handler/testing/bench/median'
import { mebibytes, positiveInteger, variables } from '@core-dump-handler/testing/bench/parse'
import {
  COMMON_OPTIONS,
  COMMON_USAGE,
  publish,
  log,
} from '@core-dump-handler/testing/bench/publish'
import { type CoreEntry, coreEntries, ENTRY_USAGE } from '@core-dump-handler/testing/bench/entries'
import { endOnSignals } from '@core-dump-handler/testing/end-on-signals'
import { Agent, s3Settings } from '@core-dump-handler/testing/agent/agent'
import { follow, type Arrival } from '@core-dump-handler/testing/agent/follow-crash'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { crasherInPod, crasherOnHost } from '@core-dump-handler/testing/kernel/waiting-crasher'
import { BundleCollector } from '@core-dump-handler/testing/bundle/bundle-collector'
import { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { coreSysctls, setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { processesOf } from '@core-dump-handler/testing/processes'
import { until } from '@core-dump-handler/testing/until'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { whyNoKernel } from '@core-dump-handler/testing/kernel/kernel'

const USAGE = `Usage: npm run bench -- arrival [options]

How long it takes from a crash until its bundle is verified in the store, and in which stage. Needs
root: while it runs, all crashes of this machine come here.

  --size SIZE      of each core, about (default 10MiB)
  --rounds N       crashes, after one that does not count (default 7)
  --pod            in pods of a containerd, instead of on the machine itself
${ENTRY_USAGE}
  --setting N=V    of the agent, such as COMP_COMPRESSION_MODE=store (repeatable)
${COMMON_USAGE}`

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    size: { type: 'string', default: '10MiB' },
    entry: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    pod: { type: 'boolean', default: false },
    setting: { type: 'string', multiple: true, default: [] },
  },
})

/** With what the own clock of composer or receiver says, from its manifest. */
interface Measured extends Arrival {
  readonly entry: CoreEntry
  readonly ownHeldMs: number
  readonly ownLookupMs: number
  readonly ownTotalMs: number
}

type Stage = Exclude<keyof Measured, 'entry'>

const STAGES: readonly [Stage, string][] = [
  ['heldMs', 'crash, composer started, core copied: the process is gone'],
  ['ownHeldMs', '  by composer or receiver, from its start or the connection'],
  ['composedMs', 'metadata, manifest, fsync: the bundle has its name'],
  ['ownLookupMs', '  the lookup in it'],
  ['ownTotalMs', '  from that to the manifest'],
  ['wokenMs', 'agent woken by the watch, bundle locked and opened'],
  ['uploadedMs', 'upload, verified by HEAD, deleted here'],
  ['totalMs', 'crash to verified object'],
]

async function main(entries: readonly CoreEntry[]): Promise<Measured[]> {
  const rounds = positiveInteger('--rounds', options.rounds)
  const mib = mebibytes('--size', options.size)
  const store = await startVersitygw()
  const containerd = options.pod ? await new Containerd('2').start() : undefined
  // the chart's default; the log has the time when an upload starts
  const agent = new Agent({
    ...s3Settings(store),
    USE_INOTIFY: 'true',
    LOG_LEVEL: 'debug',
    COMP_RATE_CRASHES: '0',
    ...(containerd && { CRIO_ENDPOINT: `unix://${containerd.socket}` }),
    ...variables(options.setting),
  })
  const receiver = entries.includes('socket') ? new TestReceiver({}, agent) : undefined
  try {
    const bundles = new BundleCollector(store, join(agent.directory, 'bundles'))
    const arrivals = await withKernel(async () => {
      await agent.start()
      const pipe = coreSysctls()['kernel.core_pattern']
      await receiver?.start()
      const patterns = { pipe, socket: receiver?.pattern ?? pipe }
      try {
        const all: (Arrival & { readonly entry: CoreEntry })[] = []
        for (let round = 0; round <= rounds; round++) {
          for (const entry of entries) {
            setCoreSysctl('kernel.core_pattern', patterns[entry])
            const crasher = containerd
              ? await crasherInPod(agent.directory, mib, containerd)
              : await crasherOnHost(agent.directory, mib)
            try {
              const arrival = await follow(agent, crasher)
              if (round > 0) all.push({ ...arrival, entry })
              await until('the composer has ended', () => processesOf(agent.hostDir).length === 0)
            } finally {
              await crasher.dispose()
            }
          }
        }
        return all
      } finally {
        await agent.command('remove')
      }
    })
    const measured: Measured[] = []
    for (const arrival of arrivals) {
      const { hostPid } = arrival
      const { manifest } = await bundles.one((each) => each.manifest.crash.hostPid === hostPid)
      if (!manifest.core.complete) throw new Error(`The core of ${hostPid} is not complete`)
      if (manifest.entry !== arrival.entry) throw new Error(`${hostPid} came by ${manifest.entry}`)
      const { heldMs, lookupMs, totalMs } = manifest.timings
      measured.push({ ...arrival, ownHeldMs: heldMs, ownLookupMs: lookupMs, ownTotalMs: totalMs })
    }
    return measured
  } finally {
    await receiver?.dispose()
    await agent.dispose()
    await containerd?.stop()
    await store.stop()
  }
}

if (options.help) process.stdout.write(USAGE)
else {
  endOnSignals()
  const why = whyNoKernel()
  if (why !== undefined) log(`Left out: arrival: ${why}`)
  const entries = why === undefined ? coreEntries(options.entry) : []
  const arrivals = why === undefined ? await main(entries) : []
  const of = (entry: CoreEntry, stage: Stage): number[] =>
    arrivals.filter((each) => each.entry === entry).map((each) => each[stage])
  const columns: Column<(typeof STAGES)[number]>[] = [
    ['ms', ([, text]) => text],
    ...entries.flatMap((entry): Column<(typeof STAGES)[number]>[] => [
      [`${entry}: median`, ([stage]) => median(of(entry, stage)).toFixed(0)],
      ['least', ([stage]) => Math.min(...of(entry, stage)).toFixed(0)],
      ['most', ([stage]) => Math.max(...of(entry, stage)).toFixed(0)],
    ]),
  ]
  const where = options.pod ? ' in pods' : ''
  const title = `crash to verified object, ${options.size}, ${options.rounds} crashes each, in turns${where}`
  if (!options.json && arrivals.length > 0)
    process.stdout.write(markdownTable(title, columns, STAGES))
  const figures: Record<string, number> = {}
  for (const entry of entries) {
    const seconds = of(entry, 'totalMs').map((ms) => ms / 1000)
    const by = entry === 'socket' ? ', socket' : ''
    figures[`arrival${where} ${options.size}${by} median s`] = median(seconds)
    figures[`arrival${where} ${options.size}${by} most s`] = Math.max(...seconds)
  }
  publish(options, { figures, missing: why === undefined ? [] : [`arrival: ${why}`], arrivals })
}
