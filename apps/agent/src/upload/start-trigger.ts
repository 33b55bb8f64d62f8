import { Cron } from 'croner'
import type { Trigger } from '../settings/read-settings.ts'
import { CRON_OPTIONS } from '../settings/variables.ts'

/** Calls `wake` as the trigger says, until the returned function stops it. */
export function startTrigger(trigger: Trigger, wake: () => void): () => void {
  if (trigger.kind === 'schedule') {
    const job = new Cron(trigger.pattern, { ...CRON_OPTIONS, catch: true }, () => wake())
    return () => job.stop()
  }
  if (trigger.kind === 'interval') return startInterval(trigger.intervalMs, wake)
  return () => undefined // the queue itself watches the directory
}

function startInterval(intervalMs: number, wake: () => void): () => void {
  const startMs = performance.now() // not the wall clock: that one jumps
  let timer: NodeJS.Timeout
  const schedule = (): void => {
    timer = setTimeout(tick, msUntilNextTick(startMs, intervalMs, performance.now()))
  }
  const tick = (): void => {
    wake()
    schedule()
  }
  schedule()
  return () => clearTimeout(timer)
}

/**
 * Milliseconds until the next tick of a clock that started at `startMs` and ticks each
 * `intervalMs`: equal gaps, however long the work of a tick took; missed ticks are not repeated.
 */
export function msUntilNextTick(startMs: number, intervalMs: number, nowMs: number): number {
  // a clock set back must not delay a tick for more than one interval
  const elapsed = Math.max(0, nowMs - startMs)
  return intervalMs - (elapsed % intervalMs)
}
