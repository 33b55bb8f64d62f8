const SLAB_BYTES = 256 * 1024

/** Memory for many windows that live equally long: in Node's pool they would keep what lies between them. */
export class Slab {
  readonly #all: ArrayBuffer[] = []
  #bytes: Buffer = Buffer.alloc(0)
  #used = 0

  /** Zeros. */
  take(length: number): Buffer {
    if (length > SLAB_BYTES / 4) return this.#allocate(length)
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = this.#allocate(SLAB_BYTES)
      this.#used = 0
    }
    const taken = this.#bytes.subarray(this.#used, this.#used + length)
    this.#used += length
    return taken
  }

  /** Frees all of it, without waiting for the garbage collector. Nothing that was taken may be used again. */
  free(): void {
    for (const memory of this.#all.splice(0)) memory.transfer(0)
    this.#bytes = Buffer.alloc(0)
    this.#used = 0
  }

  #allocate(length: number): Buffer {
    const memory = new ArrayBuffer(length)
    this.#all.push(memory)
    return Buffer.from(memory)
  }
}
