import { closeSync } from 'node:fs'
import type { ManifestEntry } from '@core-dump-handler/bundle'
import { readAhead, type DrainSource, type ReadAhead } from '@core-dump-handler/ingest'
import { monotonicMs } from './timing.ts'

/** Where a core comes from. While it is open, the kernel holds the crashed process. */
export interface CoreSource {
  /** How the kernel passes it, for the manifest. */
  readonly entry: ManifestEntry
  /**
   * The core can still be rejected: nothing of it is copied before `open`, so that a crash may wait
   * for a decision at no cost. A pipe is written to from the start.
   */
  readonly canReject: boolean
  /** Reads ahead: a small core is read whole, and its process released, before more code is loaded. Idempotent. */
  open(): Promise<void>
  /** What `drain` reads; owned by it from then on. */
  take(): DrainSource
  /** What was read ahead; undefined before `open`, and when it is taken and the process released. */
  readonly ahead: ReadAhead | undefined
  /** To be called by the owner of what was taken when it has closed it. */
  markReleased(): void
  /** Releases the process without reading on. Idempotent. */
  release(): void
  /** The process is not released yet. */
  readonly isHeld: boolean
  /** Milliseconds from the crash's arrival to the release of the process; so far, while it is held. */
  readonly heldMs: number
  /** Milliseconds since the crash's arrival. */
  readonly elapsedMs: number
}

export interface DescriptorSourceOptions {
  /** Called once, when the process is released. */
  readonly onRelease?: () => void
  /** Milliseconds since the crash arrived. @default since the source was created */
  readonly elapsedMs?: () => number
}

/** The core on a pipe, a socket or a file that this process has open. */
export class DescriptorSource implements CoreSource {
  readonly entry = 'pipe'
  readonly canReject = false
  readonly #fd: number
  readonly #onRelease: () => void
  readonly #elapsedMs: () => number
  #ahead: ReadAhead | undefined
  #taken = false
  #heldMs: number | undefined

  constructor(fd: number, { onRelease = () => {}, elapsedMs }: DescriptorSourceOptions = {}) {
    const startedMs = monotonicMs()
    this.#fd = fd
    this.#onRelease = onRelease
    this.#elapsedMs = elapsedMs ?? (() => monotonicMs() - startedMs)
  }

  async open(): Promise<void> {
    try {
      this.#ahead ??= readAhead(this.#fd, () => this.markReleased())
    } catch {
      // the descriptor was never open: `drain` reports it
    }
    await this.#ahead?.enough
  }

  get ahead(): ReadAhead | undefined {
    return this.#ahead
  }

  take(): DrainSource {
    const source = this.#ahead ?? this.#fd
    this.#taken = true
    this.#forget()
    return source
  }

  get elapsedMs(): number {
    return Math.round(this.#elapsedMs())
  }

  get isHeld(): boolean {
    return this.#heldMs === undefined
  }

  get heldMs(): number {
    return this.#heldMs ?? this.elapsedMs
  }

  markReleased(): void {
    if (this.#heldMs !== undefined) return
    this.#heldMs = this.elapsedMs
    this.#forget()
    this.#onRelease()
  }

  /** The blocks are memory, and a capture that is drained may wait for long. */
  #forget(): void {
    if (this.#taken && this.#heldMs !== undefined) this.#ahead = undefined
  }

  release(): void {
    if (this.#heldMs !== undefined) return
    if (this.#ahead !== undefined) return this.#ahead.close()
    try {
      closeSync(this.#fd)
    } catch {
      // it was never open: no process is held
    }
    this.markReleased()
  }
}
