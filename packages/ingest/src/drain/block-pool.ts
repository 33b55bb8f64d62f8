/** A buffer that is read into, and taken for the next read once nobody needs its bytes any more. */
export class Block {
  readonly buffer: Buffer
  /** The same memory, four bytes at a time. */
  readonly words: Int32Array
  /** Bytes read into it. */
  length = 0
  readonly #pool: BlockPool
  #holders = 0

  constructor(pool: BlockPool, bytes: number) {
    this.#pool = pool
    this.buffer = Buffer.allocUnsafeSlow(bytes)
    this.words = new Int32Array(this.buffer.buffer, 0, bytes >> 2)
  }

  hold(): void {
    this.#holders++
  }

  release(): void {
    if (--this.#holders > 0) return
    this.length = 0
    this.#pool.give(this)
  }
}

/** At most `capacity` blocks: who reads faster than the bytes are written waits here. */
export class BlockPool {
  readonly #blockBytes: number
  readonly #capacity: number
  readonly #free: Block[] = []
  #made = 0
  #waiting: (() => void) | undefined
  #closed = false

  constructor(blockBytes: number, capacity: number) {
    this.#blockBytes = blockBytes
    this.#capacity = capacity
  }

  /** No block is left: somebody is kept from reading. */
  get exhausted(): boolean {
    return this.#free.length === 0 && this.#made === this.#capacity
  }

  /** A block held once, if there is one. */
  tryTake(): Block | undefined {
    const block = this.#free.pop() ?? this.#make()
    block?.hold()
    return block
  }

  /** For the first ones, which are always there. */
  take(): Block {
    const block = this.tryTake()
    if (block === undefined) throw new RangeError('the pool is too small for its source')
    return block
  }

  /** A block held once, as soon as there is one; undefined once the pool is closed. */
  async taken(): Promise<Block | undefined> {
    for (;;) {
      const block = this.#closed ? undefined : this.tryTake()
      if (block !== undefined || this.#closed) return block
      await new Promise<void>((resolve) => this.whenFree(resolve))
    }
  }

  /** Nobody has to wait any more for what may never come back. */
  close(): void {
    this.#closed = true
    this.#wake()
  }

  /** Calls `then` once, when a block has come back. */
  whenFree(then: () => void): void {
    this.#waiting = then
  }

  give(block: Block): void {
    this.#free.push(block)
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }

  #make(): Block | undefined {
    if (this.#made === this.#capacity) return undefined
    this.#made++
    return new Block(this, this.#blockBytes)
  }
}
