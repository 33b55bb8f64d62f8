import { Cron } from 'croner'
import type { Trigger } from '../settings/settings.ts'
import { CRON_OPTIONS } from '../settings/variables.ts'
import { msUntilNextTick } from './ticks.ts'

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
