/** A bell for one sleeper; a ring while nobody sleeps is heard by the next. */
export class Alarm {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Until it rings, the time is over or the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted && ms > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const wake = (): void => resolve()
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
      // setTimeout takes no more than 2^31 - 1
      const timer = Number.isFinite(ms) ? setTimeout(wake, Math.min(ms, 2 ** 31 - 1)) : undefined
      await promise
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      this.#wake = undefined
    }
    this.#rung = false
  }
}
