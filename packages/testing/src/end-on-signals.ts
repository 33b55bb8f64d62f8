import { constants } from 'node:os'
import { removeScratch, scratchOf } from './scratch-directory.ts'

/**
 * For a program outside of vitest: on a signal its directories are removed before it ends.
 * Programs that it has started end with it, and kernel-guard.sh restores the kernel's settings.
 */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      for (const directory of scratchOf(process.pid)) removeScratch(directory)
      process.exit(128 + constants.signals[signal])
    })
  }
}
