import { closeSync, openSync, read } from 'node:fs'
import type { Block, BlockPool } from '../block-pool.ts'
import type { Koffi } from '../engine/koffi.ts'
import { asError } from '../../error.ts'

const NOTHING = new Uint8Array(0)

/** Where blocks of bytes come from. */
export interface BlockSource {
  /** The next block, to be released by the caller; undefined at the end, after `close` or a failure. */
  next(): Promise<Block | undefined>
  /** Stops reading and closes the source at once; blocks already read are still delivered. */
  close(): void
  /** When it was closed; milliseconds, as `performance.now()`. */
  readonly closedAt: number | undefined
  /** Why it ended early, if it failed. */
  readonly failure: Error | undefined
  /** Makes room for more bytes between the writer and us, where the source can have it. */
  enlarge?(koffi: Koffi): void
}

/** Closes `fd`; 0, 1 and 2 become /dev/null, because no other file should get their number. */
export function closeFd(fd: number): void {
  closeSync(fd)
  if (fd > 2) return
  const opened = openNull(fd)
  // a thread of the pool was faster: then the number is taken anyway
  if (opened !== undefined && opened !== fd) closeSync(opened)
}

/** Undefined on a root without devices: the number stays free then, and the process is released anyway. */
function openNull(fd: number): number | undefined {
  try {
    return openSync('/dev/null', fd === 0 ? 'r' : 'w')
  } catch {
    return undefined
  }
}

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
