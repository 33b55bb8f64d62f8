/** setTimeout takes no more than 2^31 - 1. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** A sleep that can be ended early; a wake-up that comes while no one sleeps ends the next sleep. */
export class WakeUpTimer {
  #isDue = false
  #wake: (() => void) | undefined

  /** End the sleep, or the next one. */
  wake(): void {
    this.#isDue = true
    this.#wake?.()
  }

  /** Sleep until `wake()`, for `ms` (without end: `Infinity`) or until the signal aborts. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isDue && !signal.aborted && ms > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const wake = (): void => resolve()
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
      const timer = Number.isFinite(ms) ? setTimeout(wake, Math.min(ms, MAX_TIMEOUT_MS)) : undefined
      await promise
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      this.#wake = undefined
    }
    this.#isDue = false
  }
}
