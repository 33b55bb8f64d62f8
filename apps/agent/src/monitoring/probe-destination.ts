import { setTimeout as sleep } from 'node:timers/promises'
import { type Destination, isUploadError } from '@core-dump-handler/upload'
import type { Readiness } from './readiness.ts'

/** Shortest waits between two checks; they double up to `maxMs`. */
export interface ProbeWaits {
  readonly afterFailureMs: number
  readonly afterAnswerMs: number
  readonly maxMs: number
}

const WAITS: ProbeWaits = { afterFailureMs: 5000, afterAnswerMs: 60_000, maxMs: 300_000 }
// nodes that start together must not ask in step
const JITTER = 0.25

/**
 * Checks the destination where no transfer shows whether it works, so that a failure shows before the
 * first crash. Each check in a row with the same outcome doubles the wait. Resolves once aborted.
 */
export async function probeDestination(
  destination: Pick<Destination, 'check'>,
  readiness: Readiness,
  /** Whether the queue itself tries a failing destination again. */
  isPaused: () => boolean,
  signal: AbortSignal,
  waits: ProbeWaits = WAITS,
): Promise<void> {
  let last: boolean | undefined
  for (let times = 0; !signal.aborted;) {
    const answered = await check(destination, readiness, signal)
    times = answered === last ? times + 1 : 0
    last = answered
    const least = answered ? waits.afterAnswerMs : waits.afterFailureMs
    const waitMs = Math.min(waits.maxMs, least * 2 ** Math.min(times, 30)) * jitter()
    await untilSilent(readiness, isPaused, waitMs, signal)
  }
}

async function check(
  destination: Pick<Destination, 'check'>,
  readiness: Readiness,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await destination.check({ signal })
    readiness.destinationAnswered('probe')
    return true
  } catch (error) {
    if (isUploadError(error) && !signal.aborted) readiness.destinationFailed(error.message, 'probe')
    return false
  }
}

/** Resolves when no transfer has shown anything for `waitMs`, or once aborted. */
async function untilSilent(
  readiness: Readiness,
  isPaused: () => boolean,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  for (let leftMs = waitMs; leftMs > 0 && !signal.aborted;) {
    await sleep(leftMs, undefined, { signal, ref: false }).catch(() => undefined)
    leftMs = isPaused() ? waitMs : waitMs - readiness.silentMs
  }
}

const jitter = (): number => 1 - JITTER + 2 * JITTER * Math.random()
