import { abortable } from '../abortable.ts'

const IDLE_MS = 5000

/** A buffer on loan; dispose it once. */
export interface Loan extends Disposable {
  readonly buffer: Buffer
}

/**
 * The memory of all transfers of one destination: `count` buffers of `bytes`, lent in the order of the requests,
 * so that a small file is sent between the parts of a large one.
 */
export class BufferPool {
  readonly #bytes: number
  readonly #count: number
  readonly #waiting: (() => void)[] = []
  #spare: Buffer[] = []
  #lent = 0
  #idle: NodeJS.Timeout | undefined

  constructor(count: number, bytes: number) {
    this.#count = count
    this.#bytes = bytes
  }

  get count(): number {
    return this.#count
  }

  /** A buffer of at least `bytes`; larger than the pool's own ones only for files of more than 10,000 parts. */
  async take(bytes: number, signal?: AbortSignal): Promise<Loan> {
    clearTimeout(this.#idle)
    if (this.#lent < this.#count) this.#lent++
    else {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      // a buffer that comes after the abort goes to the next request
      await abortable(promise, signal, () => this.#next())
    }
    // not from Node's shared pool: these live long and are never cut in pieces
    const buffer =
      bytes > this.#bytes
        ? Buffer.allocUnsafeSlow(bytes)
        : (this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#bytes))
    return { buffer, [Symbol.dispose]: () => this.#give(buffer) }
  }

  #give(buffer: Buffer): void {
    if (buffer.length === this.#bytes) this.#spare.push(buffer)
    this.#next()
  }

  #next(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else if (--this.#lent === 0) {
      // an idle agent is small; between the parts of one file the buffers stay
      this.#idle = setTimeout(() => (this.#spare = []), IDLE_MS).unref()
    }
  }
}
