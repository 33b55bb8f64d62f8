import { asError } from '../../error.ts'
import type { Block, BlockPool } from '../block-pool.ts'
import type { BlockSource } from './block-source.ts'

const NOTHING = new Uint8Array(0)

/** Any iterable of bytes; they are copied, so that the iterable may reuse its chunks. */
export class IterableSource implements BlockSource {
  failure: Error | undefined
  closedAt: number | undefined
  readonly #source: AsyncIterable<Uint8Array>
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #pool: BlockPool
  readonly #closing: Promise<undefined>
  #announce: () => void = () => {}
  #rest: Uint8Array = NOTHING
  #closed = false

  constructor(source: AsyncIterable<Uint8Array>, pool: BlockPool) {
    this.#source = source
    this.#iterator = source[Symbol.asyncIterator]()
    this.#pool = pool
    this.#closing = new Promise((resolve) => {
      this.#announce = () => resolve(undefined)
    })
  }

  async next(): Promise<Block | undefined> {
    const block = await this.#pool.taken()
    if (block === undefined) return undefined
    while (block.length < block.buffer.length) {
      if (this.#rest.length === 0 && !(await this.#more())) break
      const taken = this.#rest.subarray(0, block.buffer.length - block.length)
      block.buffer.set(taken, block.length)
      block.length += taken.length
      this.#rest = this.#rest.subarray(taken.length)
    }
    if (block.length > 0) return block
    block.release()
    return undefined
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.closedAt = performance.now()
    this.#pool.close()
    this.#rest = NOTHING
    this.#announce()
    // an iterator handles `return` only after its pending `next`; a stream can be destroyed now
    const source = this.#source
    if ('destroy' in source && typeof source.destroy === 'function') source.destroy()
    void this.#iterator.return?.().catch(() => {})
  }

  async #more(): Promise<boolean> {
    if (this.#closed) return false
    try {
      const result = await Promise.race([this.#closing, this.#iterator.next()])
      if (result === undefined || this.#closed) return false
      if (result.done === true) {
        this.close()
        return false
      }
      if (!(result.value instanceof Uint8Array)) {
        throw new TypeError(`Expected the source to yield Uint8Array, got ${typeof result.value}`)
      }
      this.#rest = result.value
      return true
    } catch (error) {
      this.failure = asError(error)
      this.close()
      return false
    }
  }
}
