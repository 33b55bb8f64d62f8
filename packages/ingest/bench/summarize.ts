import { median } from '@core-dump-handler/testing/bench/median'
import type { Run } from './measure.ts'

/** The middle of several runs of one variant, and how it compares within them. */
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

/** What came of one core. */
export interface Result {
  /** Kind, and its size where it can be chosen. */
  readonly name: string
  readonly kind: string
  readonly bytes: number
  readonly summaries: readonly Summary[]
  /** Of each variant, for hardly any core; where sizes are compared. */
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
    // the worst counts: each composer must fit
    rssMib: Math.max(...runs.map(({ rssMib }) => rssMib)),
    rssAnonMib: Math.max(...runs.map(({ rssAnonMib }) => rssAnonMib)),
    outBytes: of('outBytes'),
  }
}
