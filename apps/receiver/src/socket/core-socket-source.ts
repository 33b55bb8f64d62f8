import { closeSync } from 'node:fs'
import {
  type CoreSource,
  DescriptorSource,
  errorMessage,
  monotonicMs,
  type Warnings,
} from '@core-dump-handler/capture'
import { acknowledge, COREDUMP, MARKS, readMark } from '@core-dump-handler/coredump-socket'

/** The kernel answers at once; this is for a machine on which it gets no CPU. */
const MARK_TIMEOUT_MS = 10_000

export interface CoreSocketOptions {
  /** `monotonicMs` of the connection. */
  readonly arrivedMs: number
  readonly warnings: Warnings
  /** Called once, when the process is released. */
  readonly onRelease?: () => void
}

/**
 * The core on an accepted connection whose request was read. Nothing is copied before `open`
 * acknowledges it; a release before that rejects the core, and the process ends at once.
 */
export class CoreSocketSource implements CoreSource {
  readonly entry = 'socket'
  readonly canReject = true
  readonly #fd: number
  readonly #warnings: Warnings
  readonly #core: DescriptorSource
  #acknowledged = false
  #released = false

  constructor(fd: number, { arrivedMs, warnings, onRelease = () => {} }: CoreSocketOptions) {
    this.#fd = fd
    this.#warnings = warnings
    this.#core = new DescriptorSource(fd, {
      elapsedMs: () => monotonicMs() - arrivedMs,
      onRelease: () => {
        this.#released = true
        onRelease()
      },
    })
  }

  async open(): Promise<void> {
    if (this.#released) return
    this.#acknowledged = true
    try {
      acknowledge(this.#fd, COREDUMP.kernel | COREDUMP.wait)
      const mark = await readMark(this.#fd, MARK_TIMEOUT_MS)
      if (mark === undefined) {
        this.#warnings.add('CORE_SOCKET', 'The process was killed before its core was copied')
      } else if (mark !== 0) {
        const answer = MARKS[mark] ?? `mark ${mark}`
        this.#warnings.add('CORE_SOCKET', `The kernel called the acknowledgement ${answer}`)
      }
    } catch (error) {
      // killed while it waited: the socket is at its end, which the drain reports
      this.#warnings.add('CORE_SOCKET', `Cannot acknowledge the core: ${errorMessage(error)}`)
    }
    // released while the mark was waited for: the descriptor may be another file's by now
    if (!this.#released) await this.#core.open()
  }

  get ahead(): DescriptorSource['ahead'] {
    return this.#core.ahead
  }

  take(): ReturnType<DescriptorSource['take']> {
    return this.#core.take()
  }

  get isHeld(): boolean {
    return this.#core.isHeld
  }

  get heldMs(): number {
    return this.#core.heldMs
  }

  get elapsedMs(): number {
    return this.#core.elapsedMs
  }

  markReleased(): void {
    this.#core.markReleased()
  }

  release(): void {
    if (this.#released) return
    if (!this.#acknowledged) {
      try {
        acknowledge(this.#fd, COREDUMP.reject)
      } catch {
        // it was killed meanwhile
      }
    }
    this.#core.release()
  }
}

/** Closes a connection that is no crash. */
export function closeConnection(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // it was closed before
  }
}
