import type { ZipSink } from '@core-dump-handler/ingest'

/** An archive in memory. */
export class MemorySink implements ZipSink {
  #bytes: Buffer = Buffer.alloc(0)

  write(chunks: readonly Uint8Array[]): void {
    this.#bytes = Buffer.concat([this.#bytes, ...chunks])
  }

  patch(bytes: Uint8Array, position: number): void {
    this.#bytes.set(bytes, position)
  }

  truncate(length: number): void {
    this.#bytes = this.#bytes.subarray(0, length)
  }

  bytes(): Buffer {
    return this.#bytes
  }
}
