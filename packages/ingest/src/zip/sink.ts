import type { Writable } from 'node:stream'
import { fromSystemError, IngestError } from '../error.ts'

/**
 * Where the bytes of an archive go. With `patch` it is seekable: local headers are completed
 * in place and no data descriptor is needed; without it, descriptors follow the data of each entry.
 */
export interface ZipSink {
  /** Appends `chunks` in order; their memory is reused or freed once this returns or resolves. */
  write(chunks: readonly Uint8Array[]): void | Promise<void>
  /**
   * The same on another thread, so that timers and signals work while a disk hangs; a drain uses it
   * for cores that are not small, for one write at a time.
   */
  writeOnPool?(chunks: readonly Uint8Array[]): Promise<void>
  /** Overwrites bytes already written, at `position` counted from the first byte of the archive. */
  patch?(bytes: Uint8Array, position: number): void | Promise<void>
  /** Discards everything after the first `length` bytes: removes an entry that failed. */
  truncate?(length: number): void | Promise<void>
}

/** A sink that cannot seek: copies bytes into `writable` and waits for its back-pressure. */
export function streamSink(writable: Writable): ZipSink {
  let broken: Error | undefined
  // without a listener it would end the process; the pending or the next write reports it
  writable.on('error', (error) => {
    broken = error
  })
  return {
    write(chunks) {
      // a copy: a reader of a transform may use the chunks after their memory is reused
      const bytes = Buffer.concat(chunks)
      return new Promise<void>((resolve, reject) => {
        const settle = (error?: Error | null): void => {
          writable.off('close', closed)
          if (error) reject(broken ?? error)
          else resolve()
        }
        const closed = (): void => settle(new Error('the stream was closed'))
        writable.once('close', closed)
        writable.write(bytes, settle)
      })
    },
  }
}

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
