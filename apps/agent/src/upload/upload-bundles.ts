import { Cron } from 'croner'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings, Trigger } from '../settings/read-settings.ts'
import { CRON_OPTIONS } from '../settings/variables.ts'
import type { Uploader } from './open-uploader.ts'

// a watch can stop without an error, so the directory is listed regularly as well
const WATCH_RESCAN_MS = 30_000

/** Uploads bundles, first all that wait, then as the trigger decides, until the signal is aborted. */
export async function uploadBundles(
  { trigger, coreDir }: AgentSettings,
  uploader: Uploader | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  if (trigger.kind === 'none') {
    log.info(
      { coreDir },
      'INTERVAL, SCHEDULE and USE_INOTIFY are off: CORE_DIR is left to another program',
    )
  } else if (uploader !== undefined) {
    log.info({ coreDir, trigger, destination: uploader.destination.url }, 'uploading bundles')
    const stop = startTrigger(trigger, () => uploader.queue.wake())
    const watch = trigger.kind === 'watch'
    try {
      return await uploader.queue.run({
        signal,
        watch,
        rescanMs: watch ? WATCH_RESCAN_MS : Infinity,
      })
    } finally {
      stop()
      await uploader.destination.close()
    }
  }
  await untilAborted(signal)
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  // a timer keeps the process alive; a listener alone would not
  const alive = setInterval(() => undefined, 2 ** 31 - 1)
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  clearInterval(alive)
}

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
