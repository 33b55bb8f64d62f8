import { createRequire } from 'node:module'
import type { CompressionEngine, DrainMode } from '@core-dump-handler/ingest'

/** How `drain` compresses. */
export interface Compression {
  readonly mode: DrainMode
  readonly engine: CompressionEngine
}

/** The engines that can be loaded here; under CI, a missing ISA-L is a failure. */
export function enginesHere(): readonly CompressionEngine[] {
  try {
    createRequire(import.meta.url)(`@koromix/koffi-linux-${process.arch}`).load('libisal.so.2')
    return ['isal', 'zlib']
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    process.stderr.write(
      `\n  SKIPPED: ISA-L is not tested (apt install libisal2): ${String(error)}\n`,
    )
    return ['zlib']
  }
}

/** Each mode with each engine; zstd has its own. */
export function compressionsHere(): readonly Compression[] {
  const deflate: readonly DrainMode[] = ['deflate', 'store', 'adaptive']
  const pairs = enginesHere().flatMap((engine) => deflate.map((mode) => ({ mode, engine })))
  return [...pairs, { mode: 'zstd', engine: 'zlib' }]
}
