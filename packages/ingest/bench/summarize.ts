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

export function summarize(runs: ReadonlyMap<string, readonly Run[]>, bytes: number): Summary[] {
  const medians = new Map([...runs].map(([name, each]) => [name, medianRun(each)]))
  const cat = medians.get('cat')
  const pigz = medians.get('pigz -1')
  return [...medians].map(([name, median]) => ({
    name,
    ...median,
    mibPerSecond: bytes / 2 ** 20 / median.drainSeconds,
    ...(cat && { timesCat: median.drainSeconds / cat.drainSeconds }),
    ...(pigz && {
      timesPigz: median.drainSeconds / pigz.drainSeconds,
      cpuTimesPigz: median.cpuSeconds / pigz.cpuSeconds,
    }),
    outShare: median.outBytes / bytes,
    runs: runs.get(name) ?? [],
  }))
}

function medianRun(runs: readonly Run[]): Run {
  const of = (field: keyof Run): number => {
    const sorted = runs.map((run) => run[field]).toSorted((a, b) => a - b)
    const middle = sorted.length >> 1
    const upper = sorted[middle] ?? 0
    return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
  }
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
