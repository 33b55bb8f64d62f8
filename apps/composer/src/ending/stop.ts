/** Why the composer was told to end before it was done. */
export interface StopCause {
  readonly code: 'TIMEOUT' | 'INTERRUPTED' | 'FAULT'
  readonly exitCode: number
  readonly message: string
}

/** Version 9's exit code for its time limit. */
export const TIMEOUT_EXIT_CODE = 32

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** One switch for the time limit, for signals and for faults: whoever waits listens to `signal`. */
export class Stop {
  /** Resolves once stopped. */
  readonly stopped: Promise<undefined>
  readonly #controller = new AbortController()
  #cause: StopCause | undefined
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.stopped = new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve(undefined))
    })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Set once stopped; the first cause counts. */
  get cause(): StopCause | undefined {
    return this.#cause
  }

  /** From now on a signal ends the work, not the process. */
  onSignals(): void {
    for (const [name, exitCode] of Object.entries(SIGNALS)) {
      process.on(name, () => {
        this.#stop({ code: 'INTERRUPTED', exitCode, message: `Ended by ${name}` })
      })
    }
  }

  /** From now on an error that nobody caught ends the work, and what there is becomes a bundle. */
  onFaults(): void {
    process.on('uncaughtException', (error) => {
      const message = `A fault of the composer itself: ${error?.stack ?? String(error)}`
      this.#stop({ code: 'FAULT', exitCode: 1, message })
    })
  }

  onTimeout(timeoutMs: number): void {
    this.#timer = setTimeout(() => {
      const message = `Timeout error during coredump processing: not done after ${timeoutMs / 1000} s`
      this.#stop({ code: 'TIMEOUT', exitCode: TIMEOUT_EXIT_CODE, message })
    }, timeoutMs)
  }

  #stop(cause: StopCause): void {
    clearTimeout(this.#timer)
    this.#cause ??= cause
    this.#controller.abort(new Error(this.#cause.message))
  }
}
