/** Limits of the wait between two attempts. */
export interface BackoffOptions {
  readonly minDelayMs: number
  readonly maxDelayMs: number
}

/** Bounds of the random factor: of one file's waits, and of those for a whole destination (full jitter). */
const SPREAD = { file: [0.75, 1.25], destination: [0, 1] } as const

/** Wait in ms after the n-th failure in a row: doubled each time, and random so that nodes do not retry in step. */
export function backoff(
  failures: number,
  { minDelayMs, maxDelayMs }: BackoffOptions,
  of: keyof typeof SPREAD = 'file',
): number {
  const delay = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures - 1, 30))
  const [low, high] = SPREAD[of]
  return Math.round(delay * (low + (high - low) * Math.random()))
}
