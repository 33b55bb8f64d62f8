import type { Releasable } from './part-memory.ts'

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
