/** Random numbers that are the same for the same seed (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** 32 bits, unsigned. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return this.next() % limit
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T extends {} | null>(values: readonly T[]): T {
    const [value] = values.slice(this.below(values.length))
    if (value === undefined) throw new Error('nothing to pick from')
    return value
  }

  /** `count` results of `make`. */
  times<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index))
  }

  bytes(length: number): Buffer {
    return Buffer.from(this.times(length, () => this.below(256)))
  }

  /** The same values in another order. */
  shuffled<T>(values: readonly T[]): T[] {
    const keys = new Map(values.map((value) => [value, this.next()]))
    return values.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0))
  }
}

/** The seed of one round: each can be run again without those before it. */
export function seedOf(seed: number, round: number): number {
  return Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(round + 1, 0xc2b2ae35)
}
