const BLOCK_BYTES = 1024 * 1024

/** Bytes that only we have: appended at one end, dropped at the other, in memory that is used again. */
export class Window {
  readonly #maxBytes: number
  readonly #blocks: Buffer[] = []
  readonly #spare: Buffer[] = []
  /** Of the first block, dropped. */
  #skip = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get room(): number {
    return this.#maxBytes - this.#bytes
  }

  /** Takes a copy; `bytes` must not be more than `room`. */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const used = (this.#skip + this.#bytes) % BLOCK_BYTES
      const isFull = used === 0 && this.#skip + this.#bytes >= this.#blocks.length * BLOCK_BYTES
      if (isFull) this.#blocks.push(this.#spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES))
      const taken = bytes.subarray(at, at + BLOCK_BYTES - used)
      this.#blocks.at(-1)?.set(taken, used)
      this.#bytes += taken.length
      at += taken.length
    }
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#skip += count
    this.#bytes -= count
    for (; this.#skip >= BLOCK_BYTES; this.#skip -= BLOCK_BYTES) {
      const block = this.#blocks.shift()
      if (block !== undefined) this.#spare.push(block)
    }
  }

  /** The bytes from `start` on, counted from the first that is there; valid until they are dropped. */
  from(start: number): Buffer[] {
    const pieces: Buffer[] = []
    const end = this.#skip + this.#bytes
    for (let at = this.#skip + start; at < end;) {
      const index = Math.floor(at / BLOCK_BYTES)
      const blockEnd = Math.min((index + 1) * BLOCK_BYTES, end)
      const [from, to] = [at - index * BLOCK_BYTES, blockEnd - index * BLOCK_BYTES]
      pieces.push(this.#blocks[index]?.subarray(from, to) ?? Buffer.alloc(0))
      at = blockEnd
    }
    return pieces
  }

  /** Gives its memory back. */
  clear(): void {
    this.#blocks.length = 0
    this.#spare.length = 0
    this.#skip = 0
    this.#bytes = 0
  }
}
