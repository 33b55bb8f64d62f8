import { setTimeout as sleep } from 'node:timers/promises'
import { backoff, isUploadError } from '@core-dump-handler/upload'
import type { Uploader } from '../upload/open-uploader.ts'
import type { Readiness } from './readiness.ts'

/** Each look is a request of every node; a store bills them. */
const PROBE_MS = 120_000
const RETRY = { minDelayMs: 1000, maxDelayMs: 300_000 }

/** Checks the destination while no upload shows its state, so that a failure is known before the first crash. */
export class DestinationProbe {
  readonly #readiness: Pick<Readiness, 'destinationAnswered' | 'destinationFailed'>
  #answeredMs = -Infinity

  constructor(readiness: Pick<Readiness, 'destinationAnswered' | 'destinationFailed'>) {
    this.#readiness = readiness
  }

  /** A transfer has succeeded. */
  transferred(): void {
    this.#answeredMs = performance.now()
  }

  /** Resolves once aborted. */
  async run({ destination, queue }: Uploader, signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      let waitMs = PROBE_MS
      const isRecent = performance.now() - this.#answeredMs < PROBE_MS
      // waiting bundles probe it themselves
      if (!isRecent && queue.stats().files === 0) {
        failures = (await this.#check(destination, signal)) ? 0 : failures + 1
        if (failures > 0) waitMs = backoff(failures, RETRY, 'destination')
      }
      await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  async #check(destination: Uploader['destination'], signal: AbortSignal): Promise<boolean> {
    try {
      await destination.check({ signal })
      this.#readiness.destinationAnswered()
      return true
    } catch (error) {
      if (isUploadError(error)) this.#readiness.destinationFailed(error.message)
      return false
    }
  }
}
