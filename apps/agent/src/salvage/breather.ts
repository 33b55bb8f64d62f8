import { setTimeout as sleep } from 'node:timers/promises'

const MAX_BREATH_MS = 1000

/** To be awaited now and then in long work: rests for as long as it has worked, for others' sake. */
export function breather(signal: AbortSignal): () => Promise<void> {
  let sinceMs = performance.now()
  return async () => {
    const workedMs = Math.min(performance.now() - sinceMs, MAX_BREATH_MS)
    await sleep(workedMs, undefined, { signal })
    sinceMs = performance.now()
  }
}
