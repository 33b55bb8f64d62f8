import { constants } from 'node:os'
import { removeScratch, scratchOf } from './scratch-directory.ts'

/**
 * For a program that uses the harness outside of tests: when it is told to end, its directories go with
 * it. The programs it has started end with it anyhow, and the kernel's guard puts the kernel back.
 */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      for (const directory of scratchOf(process.pid)) removeScratch(directory)
      process.exit(128 + constants.signals[signal])
    })
  }
}
