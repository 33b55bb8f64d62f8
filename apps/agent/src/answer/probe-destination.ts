import { setTimeout as sleep } from 'node:timers/promises'
import { isUploadError, type Destination } from '@core-dump-handler/upload'
import type { Readiness } from './readiness.ts'

const PROBE_MS = 60_000
const RETRY_MS = 5000

/** Ask the destination now and then, so that a broken one shows before the first crash needs it. Resolves once aborted. */
export async function probeDestination(
  destination: Destination,
  readiness: Readiness,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let waitMs = PROBE_MS
    try {
      await destination.check({ signal })
      readiness.destinationAnswered()
    } catch (error) {
      if (isUploadError(error)) readiness.destinationFailed(error)
      waitMs = RETRY_MS
    }
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined)
  }
}
