import { freeBuffer } from './encode/part-memory.ts'

/** A buffer that is read into, with a count of its users; it returns to its pool after the last one. */
export class Block {
  readonly buffer: Buffer
  /** The same memory, four bytes at a time. */
  readonly words: Int32Array
  /** Bytes read into it. */
  length = 0
  readonly #pool: BlockPool
  #users = 0

  constructor(pool: BlockPool, bytes: number) {
    this.#pool = pool
    this.buffer = Buffer.allocUnsafeSlow(bytes)
    this.words = new Int32Array(this.buffer.buffer, 0, bytes >> 2)
  }

  retain(): void {
    this.#users++
  }

  release(): void {
    if (--this.#users > 0) return
    this.length = 0
    this.#pool.give(this)
  }

  /** Its memory, without waiting for the garbage collector. */
  free(): void {
    freeBuffer(this.buffer.buffer)
  }
}

/** At most `capacity` blocks, until it grows: a reader that is faster than the writer waits for one. */
export class BlockPool {
  readonly #blockBytes: number
  #capacity: number
  readonly #free: Block[] = []
  #made = 0
  #waiting: (() => void) | undefined
  #closed = false
  #isFreed = false

  constructor(blockBytes: number, capacity: number) {
    this.#blockBytes = blockBytes
    this.#capacity = capacity
  }

  /** No block is left: the reader waits. */
  get exhausted(): boolean {
    return this.#free.length === 0 && this.#made === this.#capacity
  }

  /** A block with one user, if one is free. */
  tryTake(): Block | undefined {
    const block = this.#free.pop() ?? this.#make()
    block?.retain()
    return block
  }

  /** For the first blocks, which are always free. */
  take(): Block {
    const block = this.tryTake()
    if (block === undefined) throw new RangeError('the pool is too small for its source')
    return block
  }

  /** A block with one user, as soon as one is free; undefined once the pool is closed. */
  async taken(): Promise<Block | undefined> {
    for (;;) {
      const block = this.#closed ? undefined : this.tryTake()
      if (block !== undefined || this.#closed) return block
      await new Promise<void>((resolve) => this.whenFree(resolve))
    }
  }

  /** Allows `count` blocks more. */
  grow(count: number): void {
    this.#capacity += count
    this.#wake()
  }

  /** Ends the wait for a block that may never be given back. */
  close(): void {
    this.#closed = true
    this.#wake()
  }

  /** Calls `then` once, when a block is given back. */
  whenFree(then: () => void): void {
    this.#waiting = then
  }

  give(block: Block): void {
    if (this.#isFreed) return block.free()
    this.#free.push(block)
    this.#wake()
  }

  /** The drain is over: frees the memory of all blocks, of those still in use when they are given back. */
  free(): void {
    this.#isFreed = true
    for (const block of this.#free.splice(0)) block.free()
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
