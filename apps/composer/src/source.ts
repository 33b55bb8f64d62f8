import { closeSync } from 'node:fs'

/** fd 0: while it is open, the kernel holds the process whose core it is. */
export class CoreSource {
  readonly fd: number = 0
  readonly #onRelease: () => void
  #heldMs: number | undefined

  constructor(onRelease: () => void) {
    this.#onRelease = onRelease
  }

  /** Milliseconds from the start of this process until the release; so far, while it is held. */
  get heldMs(): number {
    return this.#heldMs ?? Math.round(process.uptime() * 1000)
  }

  get released(): boolean {
    return this.#heldMs !== undefined
  }

  /** To be called by whoever has closed the descriptor. */
  markReleased(): void {
    if (this.released) return
    this.#heldMs = this.heldMs
    this.#onRelease()
  }

  /** Let the process go without reading on. */
  release(): void {
    if (this.released) return
    try {
      closeSync(this.fd)
    } catch {
      // it was never open: nobody is held
    }
    this.markReleased()
  }
}
