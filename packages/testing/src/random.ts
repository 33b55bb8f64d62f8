/** Random numbers, reproducible by their seed (xorshift32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b1) | 1
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % limit
  }

  pick<T>(values: readonly T[]): T {
    const index = this.below(values.length)
    for (const value of values.slice(index)) return value
    throw new RangeError('There is nothing to pick from')
  }
}
