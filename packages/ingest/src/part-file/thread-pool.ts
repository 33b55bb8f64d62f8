import { access } from 'node:fs'

/** So long the pool may take to answer before it counts as blocked. */
const TIMEOUT_MS = 100
/** So long an answer counts. */
const VALID_MS = 250

/**
 * Whether libuv's thread pool runs tasks. While every thread of it is blocked, as by log files that
 * hang, a task would never run.
 */
export class ThreadPool {
  #probe: Promise<void> | undefined
  #answeredAt = -Infinity
  #isBlocked = false

  /** A task of the pool is done. */
  hasAnswered(): void {
    this.#answeredAt = performance.now()
  }

  /** Waits at most 100 ms, once; then it is false until the pool answers. */
  async answers(): Promise<boolean> {
    if (performance.now() - this.#answeredAt < VALID_MS) return true
    const probe = this.#ask()
    if (this.#isBlocked) return false
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#isBlocked = true
        resolve()
      }, TIMEOUT_MS)
    })
    await Promise.race([probe, timeout])
    clearTimeout(timer)
    return !this.#isBlocked
  }

  /** Resolves as soon as a thread of the pool is free. */
  #ask(): Promise<void> {
    this.#probe ??= new Promise((resolve) => {
      // in memory: it cannot hang
      access('/proc', () => {
        this.hasAnswered()
        this.#isBlocked = false
        this.#probe = undefined
        resolve()
      })
    })
    return this.#probe
  }
}
