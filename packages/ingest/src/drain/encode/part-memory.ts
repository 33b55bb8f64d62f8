/** Something that is kept until it has been written. */
export interface Held {
  release(): void
}

interface Memory {
  readonly buffer: ArrayBuffer
  users: number
  /** The compressor has gone on to the next one. */
  left: boolean
}

/**
 * The output buffers of one compressor, each given back to the system as soon as it is written:
 * left to the garbage collector they are tens of MiB, as they weigh next to nothing in V8's heap.
 */
export class PartMemory {
  readonly #bytes: number
  #current: Memory | undefined

  /** `bytes`: how long the buffers are that the compressor allocates for itself alone. */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** To be called with each chunk, in order; `release` once it is no longer needed. */
  hold(chunk: Uint8Array): Held {
    if (this.#current?.buffer !== chunk.buffer) {
      this.#leave()
      this.#current = { buffer: chunk.buffer as ArrayBuffer, users: 0, left: false }
    }
    const memory = this.#current
    memory.users++
    return {
      release: () => {
        memory.users--
        this.#free(memory)
      },
    }
  }

  #leave(): void {
    if (this.#current === undefined) return
    this.#current.left = true
    this.#free(this.#current)
  }

  #free({ buffer, users, left }: Memory): void {
    // a buffer of another length is Node's pool, which is everybody's
    if (!left || users > 0 || buffer.byteLength !== this.#bytes) return
    // moving it to an empty one frees its memory at once
    buffer.transfer(0)
  }
}
