import type { StopCause, StopSignal } from '@core-dump-handler/capture'

interface ExitCause extends StopCause {
  readonly exitCode: number
}

// of v9
const TIMEOUT_EXIT_CODE = 32

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Ends the capture at the time limit, on a signal, and on a fault of the composer itself. */
export class Stop implements StopSignal {
  readonly #controller = new AbortController()
  #cause: ExitCause | undefined
  #timer: NodeJS.Timeout | undefined

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Set once stopped; the first cause counts. */
  get cause(): ExitCause | undefined {
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

  /** From now on an uncaught error ends the work, and what there is becomes a bundle. */
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

  /** The bundle is published: the time limit has no meaning any more. */
  disarm(): void {
    clearTimeout(this.#timer)
  }

  #stop(cause: ExitCause): void {
    clearTimeout(this.#timer)
    this.#cause ??= cause
    this.#controller.abort(new Error(this.#cause.message))
  }
}

const TIMEOUT_MS = 1000

/**
 * Ends the program. `process.exit` joins libuv's threads, and one may be in a read that never
 * returns: of the memory of a hostile process, of a log on a dead disk. Then only SIGKILL ends it;
 * by now no process is held, and what could be written is.
 */
export async function exit(exitCode: number): Promise<never> {
  const deadlineMs = performance.now() + TIMEOUT_MS
  while (isReading() && performance.now() < deadlineMs) await sleep(20)
  if (isReading()) process.kill(process.pid, 'SIGKILL')
  process.exit(exitCode)
}

function isReading(): boolean {
  return process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
}

// not node:timers/promises: it would be loaded at the start, while a process is held
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
