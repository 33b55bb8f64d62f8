import type { Transform } from 'node:stream'
import { PartMemory, type Releasable } from './part-memory.ts'

/** So that a block that cannot be made smaller still fits one buffer. */
const OVERHEAD = 4096

/** The output of a job: its bytes, and the memory they are in. */
export interface Part {
  readonly chunks: readonly Uint8Array[]
  readonly memory: readonly Releasable[]
  /** The chunks are in the memory of the input, which could not be made smaller. */
  readonly isInput?: boolean
}

/** Compresses one part after the other, on libuv's thread pool. */
export interface Compressor {
  /** Calls `done` with the output of `bytes`, which must not change before. */
  run(bytes: Uint8Array, done: (part: Part) => void): void
  close(): void
}

export interface CompressorOptions {
  /** No part is longer. */
  readonly blockBytes: number
  readonly onError: (error: Error) => void
}

/**
 * A compressor that is a stream of Node, whose output for each write is a whole part. `open` makes
 * it for output buffers of `chunkBytes`.
 */
export function streamCompressor(
  open: (chunkBytes: number) => Transform,
  { blockBytes, onError }: CompressorOptions,
): Compressor {
  const chunkBytes = Math.max(blockBytes + OVERHEAD, Buffer.poolSize)
  const stream = open(chunkBytes)
  const partMemory = new PartMemory(chunkBytes)
  let chunks: Uint8Array[] = []
  let memory: Releasable[] = []
  stream.on('error', onError)
  stream.on('data', (chunk: Uint8Array) => {
    chunks.push(chunk)
    memory.push(partMemory.retain(chunk))
  })
  return {
    run(bytes, done) {
      stream.write(bytes, (error) => {
        if (error) return
        // a chunk may be emitted as late as in the next tick
        setImmediate(() => {
          const part: Part = { chunks, memory }
          chunks = []
          memory = []
          done(part)
        })
      })
    },
    close() {
      stream.destroy()
    },
  }
}
