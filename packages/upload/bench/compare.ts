import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { markdownTable, type Column } from '@core-dump-handler/testing/bench/markdown-table'
import { median } from '@core-dump-handler/testing/bench/median'
import { log, type Published } from '@core-dump-handler/testing/bench/publish'
import { ourClient, peersNamed } from './clients.ts'
import { measure } from './measure.ts'
import type { UploadBenchOptions } from './options.ts'
import type { Cost } from '@core-dump-handler/testing/bench/process-cost'

interface Row extends Cost {
  readonly client: string
  readonly mibPerSecond: number
  readonly cpuPerGib: number
}

const COLUMNS: readonly Column<Row>[] = [
  ['client', ({ client }) => client],
  ['wall s', ({ wallS }) => wallS.toFixed(2)],
  ['MiB/s', ({ mibPerSecond }) => mibPerSecond.toFixed(0)],
  ['CPU-s per GiB', ({ cpuPerGib }) => cpuPerGib.toFixed(2)],
  ['RSS MiB', ({ rssMiB }) => rssMiB.toFixed(0)],
  ['anon MiB', ({ anonMiB }) => anonMiB.toFixed(0)],
]

/** Clients alternate, so that changes of the machine's load affect all. */
export async function compare(
  file: string,
  store: ObjectStore,
  { mib, rounds, warmUp, ours, peers: names, json }: UploadBenchOptions,
): Promise<Published> {
  const { peers, missing } = peersNamed(store, names)
  for (const line of missing) log(`Left out: ${line}`)
  const clients = [...ours.map((shape) => ourClient(store, shape)), ...peers]
  const costs = new Map<string, Cost[]>(clients.map(({ name }) => [name, []]))
  for (let round = 1 - warmUp; round <= rounds; round++) {
    log(round < 1 ? 'warming up' : `round ${round} of ${rounds}`)
    for (const { name, command, env } of clients) {
      const key = 'bundle.zip'
      const cost = await measure(command(file, key), { ...process.env, ...env })
      const size = await store.size(key)
      if (size !== mib * 2 ** 20) throw new Error(`${name} stored ${size} bytes`)
      await store.deleteAll(key)
      if (round > 0) costs.get(name)?.push(cost)
    }
  }
  const rows = [...costs].map(([client, all]) => rowOf(client, all, mib))
  const title = `upload, ${mib} MiB, median of ${rounds} (memory: most)`
  if (!json) process.stdout.write(markdownTable(title, COLUMNS, rows))
  return { figures: figuresOf(rows, mib), missing, mib, rounds, rows }
}

function rowOf(client: string, costs: readonly Cost[], mib: number): Row {
  const wallS = median(costs.map((each) => each.wallS))
  const cpuS = median(costs.map((each) => each.cpuS))
  return {
    client,
    wallS,
    cpuS,
    mibPerSecond: mib / wallS,
    cpuPerGib: (cpuS * 1024) / mib,
    rssMiB: Math.max(...costs.map((each) => each.rssMiB)),
    anonMiB: Math.max(...costs.map((each) => each.anonMiB)),
  }
}

/** Of the first of ours, against the best of the others in each. */
function figuresOf([ours, ...others]: readonly Row[], mib: number): Record<string, number> {
  const peers = others.filter(({ client }) => !client.startsWith('ours'))
  if (ours === undefined || peers.length === 0) return {}
  const name = `upload ${mib} ${ours.client}`
  return {
    [`${name} CPU x least`]: ours.cpuPerGib / Math.min(...peers.map((each) => each.cpuPerGib)),
    [`${name} speed x fastest`]:
      ours.mibPerSecond / Math.max(...peers.map((each) => each.mibPerSecond)),
  }
}
