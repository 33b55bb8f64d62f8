import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import type { Uploader } from './open-uploader.ts'
import { startTrigger } from './start-trigger.ts'

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
