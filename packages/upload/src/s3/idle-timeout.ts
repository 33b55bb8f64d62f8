/** A line that is slower than this is not waited for. */
const SLOWEST_BYTES_PER_MS = 1
const MAX_IDLE_MS = 600_000

/** Limit of one attempt: that of a request without a body, and the time that a body takes on the slowest line. */
export function attemptLimitMs(limitMs: number, bodyBytes: number): number {
  return limitMs + bodyBytes / SLOWEST_BYTES_PER_MS
}

/**
 * How long nothing may move on a connection. On a slow line much of a body lies in the buffers of the
 * kernel or of a proxy, and nothing is seen of its progress: after `attempts` timeouts in a row, one call
 * of the SDK, the timeout is doubled, 10 minutes at most, until an answer shows that the line is fast.
 */
export class IdleTimeout {
  readonly #baseMs: number
  readonly #attempts: number
  #timeouts = 0
  #ms: number

  constructor(baseMs: number, attempts: number) {
    this.#baseMs = baseMs
    this.#attempts = attempts
    this.#ms = baseMs
  }

  get ms(): number {
    return this.#ms
  }

  /** A request with a body was given up because nothing moved. */
  timedOut(): void {
    if (++this.#timeouts % this.#attempts > 0) return
    this.#ms = Math.max(this.#baseMs, Math.min(this.#ms * 2, MAX_IDLE_MS))
  }

  /** A request with a body was answered after `tookMs`. */
  answered(tookMs: number): void {
    this.#timeouts = 0
    if (tookMs < this.#baseMs / 2) this.#ms = this.#baseMs
  }
}
