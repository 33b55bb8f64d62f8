import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import type { Summary } from './summarize.ts'

export interface Machine {
  readonly cpu: string
  readonly cpus: number
  readonly memoryMib: number
  readonly kernel: string
  readonly node: string
  readonly load: number
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    memoryMib: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    load: loadavg()[0] ?? 0,
  }
}

const COLUMNS: readonly [title: string, cell: (summary: Summary) => string][] = [
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

/** A table for people, in Markdown. */
export function table(title: string, summaries: readonly Summary[]): string {
  const rows = [
    COLUMNS.map(([name]) => name),
    ...summaries.map((summary) => COLUMNS.map(([, cell]) => cell(summary))),
  ]
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [head = [], ...body] = rows
  return [`\n${title}\n`, line(head), rule, ...body.map(line), ''].join('\n')
}
