import { backoff } from './backoff.ts'
import type { BackoffOptions } from './backoff.ts'

/** While the destination is down it is tried again at least so often. */
const MAX_PAUSE_MS = 60_000

/** Keeps a failing destination from being tried once for each of 20,000 files. */
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

  /** End of the wait, on the monotonic clock (`performance.now()`). */
  get until(): number {
    return this.#until
  }

  /** How many files may be sent at once: one as a probe, when the wait is over. */
  limit(now: number, concurrency: number): number {
    if (!this.on) return concurrency
    return now >= this.#until ? 1 : 0
  }

  /** The destination failed; returns the wait in ms. One that needs a person is not tried often. */
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

  /** The destination answers again; returns whether there was a pause. */
  end(): boolean {
    const was = this.on
    this.#failures = 0
    return was
  }
}
