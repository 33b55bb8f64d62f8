import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib'
import type { Codec } from './codec.ts'
import { zeroParts } from './zero-parts.ts'

const { ZSTD_c_compressionLevel, ZSTD_e_end } = constants

const READ_UNIT = 4096
/** A skippable frame of 16 bytes; RFC 8878 3.1.2. */
const SKIPPED = Buffer.from('502a4d18080000000000000000000000', 'hex')

/** One zstd frame for each part; ZIP method 93. Never ZSTD_c_nbWorkers: Node loses data with it. */
export function zstdCodec(level: number): Codec {
  const params = { [ZSTD_c_compressionLevel]: level }
  return {
    name: 'zstd',
    method: 93,
    zeros: zeroParts((zeros) => zstdCompressSync(zeros, { params })),
    compressor: (chunkSize) => createZstdCompress({ params, flush: ZSTD_e_end, chunkSize }),
    // libarchive up to 3.6 takes a frame that ends with what it has read, 64 KiB at a time, for the last
    padding: (_start, end) => (end % READ_UNIT === 0 ? SKIPPED : undefined),
    // an empty frame: libarchive 3.6 sees no end where the last bytes just fill its buffer
    tail: zstdCompressSync(Buffer.alloc(0)),
  }
}
