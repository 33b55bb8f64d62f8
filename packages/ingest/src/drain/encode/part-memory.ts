/** Memory that is kept until its bytes have been written. */
export interface Releasable {
  release(): void
}

interface Memory {
  readonly buffer: ArrayBufferLike
  users: number
  /** The compressor fills another buffer now. */
  complete: boolean
}

/**
 * The output buffers of one compressor, each freed as soon as it is written: left to the garbage
 * collector they grow to tens of MiB, because they hardly count in V8's heap.
 */
export class PartMemory {
  readonly #bytes: number
  #current: Memory | undefined

  /** `bytes`: length of the buffers that the compressor allocates for itself alone. */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Call it with each chunk, in order, and `release` the result once the chunk is no longer needed. */
  retain({ buffer }: Uint8Array): Releasable {
    if (this.#current?.buffer !== buffer) {
      this.#completeCurrent()
      this.#current = { buffer, users: 0, complete: false }
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

  #completeCurrent(): void {
    if (this.#current === undefined) return
    this.#current.complete = true
    this.#free(this.#current)
  }

  #free({ buffer, users, complete }: Memory): void {
    if (!complete || users > 0) return
    // a buffer of another length is Node's pool, which is shared
    if (buffer.byteLength === this.#bytes) freeBuffer(buffer)
  }
}

/** Frees the memory of a buffer that is not used any more, without waiting for the garbage collector. */
export function freeBuffer(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}
