/** Limits of the wait between two attempts. */
export interface BackoffOptions {
  readonly minDelayMs: number
  readonly maxDelayMs: number
}

const JITTER = 0.25

/** Wait in ms after the n-th failure in a row: doubled each time, ± 25 % so that nodes do not retry in step. */
export function backoff(failures: number, { minDelayMs, maxDelayMs }: BackoffOptions): number {
  const delay = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures - 1, 30))
  return Math.round(delay * (1 - JITTER + 2 * JITTER * Math.random()))
}
