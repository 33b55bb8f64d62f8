/** Deflate refers back so far; RFC 1951 2. */
const DISTANCE = 32 * 1024

/** The last bytes of a stream, for whoever goes on in its middle. */
export class History {
  readonly #bytes = Buffer.alloc(DISTANCE)
  #length = 0

  push(bytes: Buffer): void {
    if (bytes.length >= DISTANCE) {
      this.#length = bytes.copy(this.#bytes, 0, bytes.length - DISTANCE)
      return
    }
    const kept = Math.min(this.#length, DISTANCE - bytes.length)
    this.#bytes.copyWithin(0, this.#length - kept, this.#length)
    this.#length = kept + bytes.copy(this.#bytes, kept)
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}
