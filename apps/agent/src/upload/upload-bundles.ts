import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import type { Carrier } from './open-uploader.ts'
import { startTrigger } from './start-trigger.ts'

// a watch can go deaf without an error; so often the directory is looked at anyhow
const WATCH_RESCAN_MS = 30_000

/** Carry bundles, first all that are there, then as the trigger says, until the signal is aborted. */
export async function carry(
  { trigger, coreDir }: AgentSettings,
  carrier: Carrier | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  if (trigger.kind === 'none') {
    log.info({ coreDir }, 'INTERVAL, SCHEDULE and USE_INOTIFY are off: CORE_DIR is left to others')
  } else if (carrier !== undefined) {
    log.info({ coreDir, trigger, destination: carrier.destination.url }, 'carrying bundles')
    const stop = startTrigger(trigger, () => carrier.queue.wake())
    const watch = trigger.kind === 'watch'
    try {
      return await carrier.queue.run({
        signal,
        watch,
        rescanMs: watch ? WATCH_RESCAN_MS : Infinity,
      })
    } finally {
      stop()
      await carrier.destination.close()
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
