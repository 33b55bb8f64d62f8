import type { DrainMode } from '../options.ts'
import type { Codec } from './codec.ts'
import { deflateCodec } from './deflate-codec.ts'
import { zstdCodec } from './zstd-codec.ts'

export function codecOf(mode: DrainMode, level: number): Codec {
  return mode === 'zstd' ? zstdCodec(level) : deflateCodec(level)
}
