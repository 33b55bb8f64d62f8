/** Random numbers; those of this repository's fuzzer are some. */
export interface FuzzRandom {
  below(limit: number): number
  once(times: number): boolean
  pick<T extends {} | null>(values: readonly T[]): T
}

/** The same numbers for the same seed (mulberry32). */
export function fuzzRandom(seed: number): FuzzRandom {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    below: (limit) => next() % limit,
    once: (times) => next() % times === 0,
    pick: (values) => {
      const [value] = values.slice(next() % values.length)
      if (value === undefined) throw new Error('nothing to pick from')
      return value
    },
  }
}
