import { median } from '@core-dump-handler/testing/bench/median'
import type { Run } from './measure.ts'

/** Medians of the runs of one variant, and their ratios to the peers. */
export interface Summary extends Run {
  readonly name: string
  readonly mibPerSecond: number
  /** Median drain time over that of `cat` and of `pigz -1`; absent where they did not run. */
  readonly timesCat?: number
  readonly timesPigz?: number
  readonly cpuTimesPigz?: number
  readonly outShare: number
  readonly runs: readonly Run[]
}

/** The results for one core. */
export interface Result {
  /** The kind, with the size where it can be chosen. */
  readonly name: string
  readonly kind: string
  readonly bytes: number
  readonly summaries: readonly Summary[]
  /** Start time of each variant, where sizes are compared. */
  readonly startMs?: Readonly<Record<string, number>>
}

export function summarize(runs: ReadonlyMap<string, readonly Run[]>, bytes: number): Summary[] {
  const medians = new Map([...runs].map(([name, each]) => [name, medianRun(each)]))
  const cat = medians.get('cat')
  const pigz = medians.get('pigz -1')
  return [...medians].map(([name, middle]) => ({
    name,
    ...middle,
    mibPerSecond: bytes / 2 ** 20 / middle.drainSeconds,
    ...(cat && { timesCat: middle.drainSeconds / cat.drainSeconds }),
    ...(pigz && {
      timesPigz: middle.drainSeconds / pigz.drainSeconds,
      cpuTimesPigz: middle.cpuSeconds / pigz.cpuSeconds,
    }),
    outShare: middle.outBytes / bytes,
    runs: runs.get(name) ?? [],
  }))
}

function medianRun(runs: readonly Run[]): Run {
  const of = (field: keyof Run): number => median(runs.map((run) => run[field]))
  return {
    drainSeconds: of('drainSeconds'),
    totalSeconds: of('totalSeconds'),
    cpuSeconds: of('cpuSeconds'),
    // the maximum: every run must fit
    rssMib: Math.max(...runs.map(({ rssMib }) => rssMib)),
    rssAnonMib: Math.max(...runs.map(({ rssAnonMib }) => rssAnonMib)),
    outBytes: of('outBytes'),
  }
}
