import type { Compressor, CompressorOptions } from '../encode/compressor.ts'
import { storedBlocks } from '../encode/deflate-blocks.ts'
import type { Releasable } from '../encode/part-memory.ts'
import type { Isal } from './isal.ts'

/** Output of several blocks: they become 4 to 8 times smaller. */
const BLOCKS_OF_OUTPUT = 2

/** ISA-L as a compressor: each block is a part that refers to nothing before it. */
export function isalCompressor(
  isal: Isal,
  level: number,
  memory: OutputMemory,
  { onError }: Pick<CompressorOptions, 'onError'>,
): Compressor {
  const stream = isal.stream(level)
  let closed = false
  return {
    run(bytes, done) {
      const output = memory.reserve(bytes.length)
      stream.prepare(bytes, output.buffer, output.used)
      stream.run((error, code) => {
        if (closed) return
        if (error) return onError(error)
        const length = stream.lengthOf(code)
        if (length === undefined) {
          memory.commit(output, 0).memory.release()
          return done({ chunks: storedBlocks(bytes), memory: [], isInput: true })
        }
        const { chunk, memory: used } = memory.commit(output, length)
        done({ chunks: [chunk], memory: [used] })
      })
    },
    close() {
      closed = true
    },
  }
}

/** A buffer of output, filled from its start. */
interface Output {
  readonly buffer: Buffer
  used: number
  users: number
}

/** Output buffers of all ISA-L compressors of one drain, used again once they are written. */
export class OutputMemory {
  readonly #bytes: number
  readonly #free: Output[] = []

  constructor(blockBytes: number) {
    this.#bytes = BLOCKS_OF_OUTPUT * blockBytes
  }

  /** A buffer with room for `bytes` more, until `commit`. */
  reserve(bytes: number): Output {
    const index = this.#free.findLastIndex(({ used }) => this.#bytes - used >= bytes)
    const [found] = index < 0 ? [] : this.#free.splice(index, 1)
    return found ?? { buffer: Buffer.allocUnsafeSlow(this.#bytes), used: 0, users: 0 }
  }

  /** Takes the next `length` bytes of it; `memory` is released once they are not needed any more. */
  commit(output: Output, length: number): { chunk: Uint8Array; memory: Releasable } {
    const start = output.used
    output.used += length
    output.users++
    this.#free.push(output)
    const release = (): void => {
      output.users--
      // not while a compressor writes into it
      if (output.users === 0 && this.#free.includes(output)) output.used = 0
    }
    return { chunk: output.buffer.subarray(start, output.used), memory: { release } }
  }
}
