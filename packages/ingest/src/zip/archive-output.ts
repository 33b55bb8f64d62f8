import { fromSystemError, IngestError } from '../error.ts'
import type { ZipSink } from './sink.ts'

/** A sink with its position, which refuses writes after a failed one. */
export class ArchiveOutput {
  readonly #sink: ZipSink
  #position = 0
  #failure: IngestError | undefined

  constructor(sink: ZipSink) {
    this.#sink = sink
  }

  get position(): number {
    return this.#position
  }

  get seekable(): boolean {
    return this.#sink.patch !== undefined
  }

  /** Not async: a promise for every write to a synchronous sink would cost time. */
  write(chunks: readonly Uint8Array[], entry: string, onPool = false): void | Promise<void> {
    this.#assertUsable()
    for (const chunk of chunks) this.#position += chunk.length
    try {
      const writing =
        onPool && this.#sink.writeOnPool !== undefined
          ? this.#sink.writeOnPool(chunks)
          : this.#sink.write(chunks)
      return writing?.catch((cause: unknown) => this.#fail('write', entry, cause))
    } catch (cause) {
      this.#fail('write', entry, cause)
    }
  }

  async patch(bytes: Uint8Array, position: number, entry: string): Promise<void> {
    this.#assertUsable()
    try {
      await this.#sink.patch?.(bytes, position)
    } catch (cause) {
      this.#fail('complete the header of', entry, cause)
    }
  }

  /** Discards everything after the first `length` bytes, after which a failed output can be used again. */
  async truncate(length: number, entry: string): Promise<void> {
    try {
      if (this.#sink.truncate === undefined) throw new Error('the sink cannot be truncated')
      await this.#sink.truncate(length)
      this.#position = length
      this.#failure = undefined
    } catch (cause) {
      this.#fail('take back', entry, cause)
    }
  }

  #assertUsable(): void {
    if (this.#failure === undefined) return
    throw new IngestError(
      'FAILED_BEFORE',
      this.#failure.subject,
      `Cannot continue the archive after a failed write: ${this.#failure.message}`,
      { cause: this.#failure },
    )
  }

  #fail(verb: string, entry: string, cause: unknown): never {
    this.#failure ??= fromSystemError(`${verb} archive entry`, entry, cause)
    throw this.#failure
  }
}
