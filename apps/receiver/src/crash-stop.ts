import type { StopCause, StopSignal } from '@core-dump-handler/capture'

/** Ends one capture: at its time limit, or when the receiver ends. */
export class CrashStop implements StopSignal {
  cause: StopCause | undefined
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(timeoutMs: number) {
    this.#timer = setTimeout(() => {
      const message = `Timeout error during coredump processing: not done after ${timeoutMs / 1000} s`
      this.stop({ code: 'TIMEOUT', message })
    }, timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  stop(cause: StopCause): void {
    clearTimeout(this.#timer)
    this.cause ??= cause
    this.#controller.abort(new Error(this.cause.message))
  }

  /** The capture is over. */
  disarm(): void {
    clearTimeout(this.#timer)
  }
}
