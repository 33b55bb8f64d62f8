import { Socket } from 'node:net'
import type { Block, BlockPool } from '../block-pool.ts'
import type { Koffi, NativeFunction } from '../engine/koffi.ts'
import { closeFd, type BlockSource } from './block-source.ts'

/** Fewer than a pool has: otherwise the reading would wait for blocks that are only used later. */
const AHEAD_BLOCKS = 14
/** Blocks of a slow source are encoded as they come, so that little is lost when this process is killed. */
const AHEAD_MS = 50

/** F_SETPIPE_SZ of <linux/fcntl.h>. */
const SET_PIPE_BYTES = 1031
/** Four times the default. 1 MiB is no faster, and the pages are charged to the cgroup of the crashed process. */
const PIPE_BYTES = 256 * 1024

/**
 * A pipe or socket, read directly into blocks. `onread` is as fast as blocking reads within 7 %, and
 * timers and signals still work while a pipe stalls.
 * The first blocks are only read: most cores are small, and end before any work on them begins.
 */
export class PipeSource implements BlockSource {
  failure: Error | undefined
  closedAt: number | undefined
  readonly #fd: number
  readonly #pool: BlockPool
  readonly #socket: Socket
  readonly #ready: Block[] = []
  #current: Block
  // Node asks for the next buffer before a pause takes effect: one block is always in reserve
  #spare: Block | undefined
  #waiting: ((block: Block | undefined) => void) | undefined
  #ahead: NodeJS.Timeout | undefined
  #closed = false
  readonly #enough = Promise.withResolvers<void>()

  readonly #onClosed: () => void

  constructor(fd: number, pool: BlockPool, onClosed: () => void = () => {}) {
    this.#onClosed = onClosed
    this.#fd = fd
    this.#pool = pool
    this.#current = pool.take()
    this.#spare = pool.take()
    this.#socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer: () => this.#current.buffer.subarray(this.#current.length),
        callback: (bytes) => this.#onRead(bytes),
      },
    })
    this.#ahead = setTimeout(() => this.#begin(), AHEAD_MS)
    this.#socket.on('end', () => this.close())
    this.#socket.on('error', (error) => {
      this.failure ??= error
      this.close()
    })
  }

  /** Resolves when the first block can be taken. */
  get enough(): Promise<void> {
    return this.#enough.promise
  }

  next(): Promise<Block | undefined> {
    const block = this.#ahead === undefined ? this.#ready.shift() : undefined
    if (block !== undefined || this.#closed) return Promise.resolve(block)
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  /** The bytes that have been read and not taken; valid until the next call of `next`. */
  peek(): Buffer[] {
    const blocks = this.#closed ? this.#ready : [...this.#ready, this.#current]
    return blocks.map(({ buffer, length }) => buffer.subarray(0, length))
  }

  enlarge(koffi: Koffi): void {
    if (!this.#closed) enlargePipe(koffi, this.#fd)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.destroy()
    // libuv never closes the standard three
    if (this.#fd <= 2) closeFd(this.#fd)
    this.closedAt = performance.now()
    this.#onClosed()
    if (this.#current.length > 0) this.#ready.push(this.#current)
    else this.#current.release()
    this.#spare?.release()
    this.#begin()
    // no more blocks will come
    this.#answer(undefined)
  }

  /** False pauses the socket. */
  #onRead(bytes: number): boolean {
    if (this.#closed) return false
    const block = this.#current
    block.length += bytes
    if (block.length < block.buffer.length || this.#spare === undefined) return true
    this.#current = this.#spare
    this.#spare = this.#pool.tryTake()
    this.#deliver(block)
    if (this.#spare === undefined) this.#pool.whenFree(() => this.#resume())
    return this.#spare !== undefined
  }

  #resume(): void {
    if (this.#closed) return
    this.#spare = this.#pool.tryTake()
    this.#socket.resume()
  }

  #deliver(block: Block): void {
    this.#ready.push(block)
    if (this.#ahead === undefined) this.#deliverNext()
    else if (this.#ready.length === AHEAD_BLOCKS) this.#begin()
  }

  /** Enough has been read ahead. */
  #begin(): void {
    clearTimeout(this.#ahead)
    this.#ahead = undefined
    this.#enough.resolve()
    this.#deliverNext()
  }

  #deliverNext(): void {
    if (this.#waiting !== undefined && this.#ready.length > 0) this.#answer(this.#ready.shift())
  }

  #answer(block: Block | undefined): void {
    this.#waiting?.(block)
    this.#waiting = undefined
  }
}

let fcntl: NativeFunction | undefined

/**
 * Gives a pipe more room; fcntl(2), pipe(7). A socket, and a pipe whose user may have no more
 * (fs.pipe-user-pages-soft), stay as they are.
 */
function enlargePipe(koffi: Koffi, fd: number): void {
  // not declared with `...`: for integers the calling conventions of x86-64 and arm64 are the same
  fcntl ??= koffi.load(null).func('int fcntl(int, int, int)')
  fcntl(fd, SET_PIPE_BYTES, PIPE_BYTES)
}
