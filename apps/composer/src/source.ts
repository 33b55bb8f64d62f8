import { closeSync } from 'node:fs'
import { readAhead, type DrainSource, type ReadAhead } from '@core-dump-handler/ingest'

/** fd 0: while it is open, the kernel holds the process whose core it is. */
export class CoreSource {
  readonly fd: number = 0
  readonly #onRelease: () => void
  #ahead: ReadAhead | undefined
  #heldMs: number | undefined

  constructor(onRelease: () => void) {
    this.#onRelease = onRelease
  }

  /** What to drain: fd 0, or what has been read of it already. */
  get drainable(): DrainSource {
    return this.#ahead ?? this.fd
  }

  /** Reads a small core whole, so that its process is free before anything more is loaded. */
  async begin(): Promise<void> {
    try {
      this.#ahead = readAhead(this.fd, () => this.markReleased())
    } catch {
      // it was never open: the drain will say so
    }
    await this.#ahead?.enough
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
    if (this.#ahead !== undefined) return this.#ahead.close()
    try {
      closeSync(this.fd)
    } catch {
      // it was never open: nobody is held
    }
    this.markReleased()
  }
}
