import type { Result } from './summarize.ts'

/** How the speed of one variant changes with the size of the core. */
export interface Growth {
  readonly name: string
  /** Of hardly any core: the program's own start, which a small core is mostly made of. */
  readonly startMs: number
  readonly speeds: readonly { mib: number; mibPerSecond: number; withoutStart: number }[]
  /** Half the distance of the extremes over their middle: 0.1 is within ± 10 %. */
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
