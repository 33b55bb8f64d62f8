import { read } from 'node:fs'
import type { Block, BlockPool } from '../block-pool.ts'
import { type BlockSource, closeFd } from './block-source.ts'

/** A regular file or device, which is always ready: read from its position, by the thread pool. */
export class FileSource implements BlockSource {
  failure: Error | undefined
  closedAt: number | undefined
  readonly #fd: number
  readonly #pool: BlockPool
  #closed = false
  #reading = false

  constructor(fd: number, pool: BlockPool) {
    this.#fd = fd
    this.#pool = pool
  }

  async next(): Promise<Block | undefined> {
    const block = await this.#pool.taken()
    if (block === undefined) return undefined
    while (!this.#closed && block.length < block.buffer.length) {
      const bytes = await this.#read(block)
      block.length += bytes
      if (bytes === 0) this.close()
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
    // not during a read: another file could get its number
    if (!this.#reading) closeFd(this.#fd)
  }

  #read(block: Block): Promise<number> {
    const { buffer, length } = block
    this.#reading = true
    return new Promise((resolve) => {
      read(this.#fd, buffer, length, buffer.length - length, null, (error, bytes) => {
        this.#reading = false
        if (error) this.failure = error
        if (this.#closed) closeFd(this.#fd)
        resolve(error ? 0 : bytes)
      })
    })
  }
}
