import type { Transform } from 'node:stream'

/** How bytes become compressed data that can be put together from parts, in order. */
export interface Codec {
  readonly name: 'deflate' | 'zstd'
  /** Compression method; APPNOTE 4.4.5. */
  readonly method: 8 | 93
  /** Parts that together expand to `length` zero bytes, precomputed. */
  zeros(length: number): readonly Uint8Array[]
  /** A part that holds `bytes` as they are, uncopied; absent where compressing is quick on any data. */
  readonly stored?: (bytes: Uint8Array) => readonly Uint8Array[]
  /** A compressor whose output for each write is a whole part, in buffers of `chunkBytes`. */
  compressor(chunkBytes: number): Transform
  /** What goes before a part that would lie from `start` to `end` in the archive, if anything. */
  readonly padding?: (start: number, end: number) => Uint8Array | undefined
  /** What ends the data. */
  readonly tail: Uint8Array
}
