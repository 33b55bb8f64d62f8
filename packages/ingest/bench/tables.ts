import { markdownTable, type Column } from '@core-dump-handler/testing/bench/markdown-table'
import { growthOf, type Growth } from './growth.ts'
import type { Result, Summary } from './summarize.ts'

const COLUMNS: readonly Column<Summary>[] = [
  ['variant', ({ name }) => name],
  ['drain s', ({ drainSeconds }) => drainSeconds.toFixed(3)],
  ['MiB/s', ({ mibPerSecond }) => mibPerSecond.toFixed(0)],
  ['x cat', ({ timesCat }) => timesCat?.toFixed(2) ?? '-'],
  ['x pigz', ({ timesPigz }) => timesPigz?.toFixed(2) ?? '-'],
  ['CPU s', ({ cpuSeconds }) => cpuSeconds.toFixed(2)],
  ['CPU x pigz', ({ cpuTimesPigz }) => cpuTimesPigz?.toFixed(2) ?? '-'],
  ['RSS MiB', ({ rssMib }) => rssMib.toFixed(0)],
  ['anon MiB', ({ rssAnonMib }) => rssAnonMib.toFixed(0)],
  ['out', ({ outShare }) => `${(outShare * 100).toFixed(1)} %`],
]

export function drainTable({ kind, bytes, summaries }: Result, rounds: number): string {
  const title = `${kind}, ${Math.round(bytes / 2 ** 20)} MiB, median of ${rounds} (memory: most)`
  return markdownTable(title, COLUMNS, summaries)
}

/** The speed of each variant by the size of one kind of core. */
export function growthTable(results: readonly Result[]): string {
  const columns: Column<Growth>[] = [
    ['MiB/s', ({ name }) => name],
    ['start ms', ({ startMs }) => startMs.toFixed(0)],
    ...results.map(({ bytes }, index): Column<Growth> => {
      const size = `${Math.round(bytes / 2 ** 20)} MiB`
      return [
        `${size} (without start)`,
        ({ speeds }) =>
          `${speeds[index]?.mibPerSecond.toFixed(0)} (${speeds[index]?.withoutStart.toFixed(0)})`,
      ]
    }),
    ['spread', ({ spread }) => `${(spread * 100).toFixed(0)} %`],
    ['without start', ({ spreadWithoutStart }) => `${(spreadWithoutStart * 100).toFixed(0)} %`],
  ]
  const title = `${results[0]?.kind}, growing; spread = how far the extremes are from their middle`
  return markdownTable(title, columns, growthOf(results))
}
