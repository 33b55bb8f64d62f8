import type { Result } from './summarize.ts'

/** How the speed of one variant changes with the size of the core. */
export interface Growth {
  readonly name: string
  /** Start time of the program, which dominates with a small core. */
  readonly startMs: number
  readonly speeds: readonly { mib: number; mibPerSecond: number; withoutStart: number }[]
  /** Half the range over its middle: 0.1 means ± 10 %. */
  readonly spread: number
  readonly spreadWithoutStart: number
}

export function growthOf(results: readonly Result[]): Growth[] {
  return (results[0]?.summaries ?? []).map(({ name }) => {
    const startMs = results[0]?.startMs?.[name] ?? 0
    const speeds = results.map(({ bytes, summaries }) => {
      const mib = bytes / 2 ** 20
      const seconds = summaries.find((each) => each.name === name)?.drainSeconds ?? Number.NaN
      return { mib, mibPerSecond: mib / seconds, withoutStart: mib / (seconds - startMs / 1000) }
    })
    return {
      name,
      startMs,
      speeds,
      spread: spreadOf(speeds.map(({ mibPerSecond }) => mibPerSecond)),
      spreadWithoutStart: spreadOf(speeds.map(({ withoutStart }) => withoutStart)),
    }
  })
}

function spreadOf(values: readonly number[]): number {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return (most - least) / (most + least)
}
