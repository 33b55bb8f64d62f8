import { fromSystemError, IngestError } from '../error.ts'
import type { ZipSink } from './sink.ts'

/** A sink with its position, which takes nothing more after a write that failed. */
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

  /** Not async: a file takes its bytes at once, and a promise for every write would cost. */
  write(chunks: readonly Uint8Array[], entry: string): void | Promise<void> {
    this.#assertSound()
    for (const chunk of chunks) this.#position += chunk.length
    try {
      return this.#sink.write(chunks)?.catch((cause: unknown) => this.#fail('write', entry, cause))
    } catch (cause) {
      this.#fail('write', entry, cause)
    }
  }

  async patch(bytes: Uint8Array, position: number, entry: string): Promise<void> {
    this.#assertSound()
    try {
      await this.#sink.patch?.(bytes, position)
    } catch (cause) {
      this.#fail('complete the header of', entry, cause)
    }
  }

  /** Back to the first `length` bytes; makes a failed output sound again, if the sink can. */
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

  #assertSound(): void {
    if (this.#failure === undefined) return
    throw new IngestError(
      'FAILED_BEFORE',
      this.#failure.subject,
      `Cannot go on with an archive after a failed write: ${this.#failure.message}`,
      { cause: this.#failure },
    )
  }

  #fail(verb: string, entry: string, cause: unknown): never {
    this.#failure ??= fromSystemError(`${verb} archive entry`, entry, cause)
    throw this.#failure
  }
}
