import { constants, createZstdCompress, deflateRawSync, zstdCompressSync } from 'node:zlib'
import type { EngineChoice } from '../engine/engine.ts'
import { streamCompressor, type Compressor, type CompressorOptions } from './compressor.ts'
import { LAST_BLOCK, storedBlocks } from './deflate-blocks.ts'

const { Z_FULL_FLUSH, ZSTD_c_compressionLevel, ZSTD_e_end } = constants

/** Compresses parts of data that form one valid stream when written in order. */
export interface Codec {
  readonly name: 'deflate' | 'zstd'
  /** Compression method; APPNOTE 4.4.5. */
  readonly method: 8 | 93
  /** Parts that together expand to `length` zero bytes, precomputed. */
  zeros(length: number): readonly Uint8Array[]
  /** A part that holds `bytes` uncompressed and uncopied; absent where compressing is fast on any data. */
  readonly stored?: (bytes: Uint8Array) => readonly Uint8Array[]
  /** A compressor whose output for each run is a whole part. */
  compressor(options: CompressorOptions): Compressor
  /** What must precede a part that would lie from `start` to `end` in the archive, if anything. */
  readonly padding?: (start: number, end: number) => Uint8Array | undefined
  /** Ends the data. */
  readonly tail: Uint8Array
}

/** `engine` compresses, except for zstd. */
export function codecFor(mode: string, level: number, engine: EngineChoice): Codec {
  return mode === 'zstd' ? zstdCodec(level) : deflateCodec(engine)
}

/** Raw deflate, cut by full flushes: each part is byte aligned and refers to nothing before it. */
function deflateCodec(engine: EngineChoice): Codec {
  return {
    name: 'deflate',
    method: 8,
    // level 9 makes a 1000th of 1 MiB, level 1 a 230th
    zeros: zeroParts((zeros) => deflateRawSync(zeros, { level: 9, finishFlush: Z_FULL_FLUSH })),
    stored: storedBlocks,
    compressor: (options) => engine.chosen.compressor(options),
    tail: LAST_BLOCK,
  }
}

// how much libarchive reads at once
const READ_UNIT = 4096
/** A skippable frame of 16 bytes; RFC 8878 3.1.2. */
const SKIPPABLE_FRAME = Buffer.from('502a4d18080000000000000000000000', 'hex')

/** One zstd frame for each part; ZIP method 93. Never ZSTD_c_nbWorkers: Node loses data with it. */
function zstdCodec(level: number): Codec {
  const params = { [ZSTD_c_compressionLevel]: level }
  return {
    name: 'zstd',
    method: 93,
    zeros: zeroParts((zeros) => zstdCompressSync(zeros, { params })),
    compressor: (options) =>
      streamCompressor(
        (chunkSize) => createZstdCompress({ params, flush: ZSTD_e_end, chunkSize }),
        options,
      ),
    // libarchive up to 3.6 takes a frame that ends with what it has read, 64 KiB at a time, for the last
    padding: (_start, end) => (end % READ_UNIT === 0 ? SKIPPABLE_FRAME : undefined),
    // an empty frame: libarchive 3.6 sees no end where the last bytes just fill its buffer
    tail: zstdCompressSync(Buffer.alloc(0)),
  }
}

const SMALL_ZEROS = 64 * 1024
const LARGE_ZEROS = 1024 * 1024
/** From so many zeros on, large parts are used: one of 1 MiB takes 2 ms, too long for a small crash. */
const MANY_ZEROS = 16 * 1024 * 1024

/** Parts for zero runs of any length, each power of two compressed once, when it is first needed. */
function zeroParts(
  compress: (zeros: Buffer) => Uint8Array,
): (length: number) => readonly Uint8Array[] {
  const known = new Map<number, Uint8Array>()
  const part = (length: number): Uint8Array => {
    const compressed = known.get(length) ?? compress(Buffer.alloc(length))
    known.set(length, compressed)
    return compressed
  }
  let seen = 0
  return (length) => {
    seen += length
    const parts: Uint8Array[] = []
    let rest = length
    for (let size = seen < MANY_ZEROS ? SMALL_ZEROS : LARGE_ZEROS; rest > 0; size /= 2) {
      for (; rest >= size; rest -= size) parts.push(part(size))
    }
    return parts
  }
}
