/** Slower than this a line is not waited for. */
const SLOWEST_BYTES_PER_MS = 1
const MAX_SILENCE_MS = 600_000

/** Limit of one attempt: what a request without a body has, and the time that a body takes on the slowest line. */
export function attemptLimitMs(limitMs: number, bodyBytes: number): number {
  return limitMs + bodyBytes / SLOWEST_BYTES_PER_MS
}

/**
 * How long nothing may move on a connection. On a slow line much of a body lies in the buffers of the
 * kernel or of a proxy, and nothing is seen of its going: after `attempts` silences in a row, one call
 * of the SDK, twice the time is given, until the line turns out to be a fast one.
 */
export class Patience {
  readonly #baseMs: number
  readonly #attempts: number
  #silences = 0
  #ms: number

  constructor(baseMs: number, attempts: number) {
    this.#baseMs = baseMs
    this.#attempts = attempts
    this.#ms = baseMs
  }

  get ms(): number {
    return this.#ms
  }

  /** A request with a body was given up for silence. */
  silent(): void {
    if (++this.#silences % this.#attempts > 0) return
    this.#ms = Math.max(this.#baseMs, Math.min(this.#ms * 2, MAX_SILENCE_MS))
  }

  /** One was answered after so long. */
  answered(tookMs: number): void {
    this.#silences = 0
    if (tookMs < this.#baseMs / 2) this.#ms = this.#baseMs
  }
}
