import { backoff, type BackoffOptions } from './backoff.ts'

/** While the destination is down it is asked again at least so often. */
const MAX_PAUSE_MS = 60_000

/** Keeps a dead destination from being asked once for each of 20,000 files. */
export class Pause {
  readonly #options: BackoffOptions
  #failures = 0
  #until = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  get on(): boolean {
    return this.#failures > 0
  }

  /** End of the wait, on the clock that never jumps. */
  get until(): number {
    return this.#until
  }

  /** How many files may be under way: one, to find out, when the wait is over. */
  limit(now: number, concurrency: number): number {
    if (!this.on) return concurrency
    return now >= this.#until ? 1 : 0
  }

  /** The destination failed; the wait in ms. One that a person has to mend is not asked often. */
  failed(now: number, retryable: boolean): number {
    // begun before the pause was: the same failure, not one more
    if (this.on && now < this.#until) return this.#until - now
    this.#failures++
    const { minDelayMs, maxDelayMs } = this.#options
    const delay = retryable
      ? backoff(this.#failures, { minDelayMs, maxDelayMs: Math.min(maxDelayMs, MAX_PAUSE_MS) })
      : backoff(1, { minDelayMs: maxDelayMs, maxDelayMs })
    this.#until = now + delay
    return delay
  }

  /** It answers; true when that is news. */
  over(): boolean {
    const was = this.on
    this.#failures = 0
    return was
  }
}
