import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib'
import type { Codec } from './codec.ts'
import { zeroParts } from './zero-parts.ts'

const { ZSTD_c_compressionLevel, ZSTD_e_end } = constants

/** One zstd frame for each part; ZIP method 93. Never ZSTD_c_nbWorkers: Node loses data with it. */
export function zstdCodec(level: number): Codec {
  const params = { [ZSTD_c_compressionLevel]: level }
  return {
    name: 'zstd',
    method: 93,
    zeros: zeroParts((zeros) => zstdCompressSync(zeros, { params })),
    compressor: (chunkSize) => createZstdCompress({ params, flush: ZSTD_e_end, chunkSize }),
    // an empty frame: libarchive 3.6 sees no end where the last bytes just fill its buffer
    tail: zstdCompressSync(Buffer.alloc(0)),
  }
}
