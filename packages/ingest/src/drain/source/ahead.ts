import type { BlockPool } from '../block-pool.ts'
import type { BlockSource } from './block-source.ts'

/** A pipe that is being read although nobody knows yet where to. */
export interface ReadAhead {
  /** Resolves once it has been read to its end, or for 1.75 MiB, or for 50 ms. */
  readonly enough: Promise<void>
  /** Stops: for who will not drain it. Idempotent. */
  close(): void
  /** For `drain`. */
  readonly begun: { readonly blocks: BlockSource; readonly pool: BlockPool; readonly at: number }
}

/** By its shape: whoever began may have another copy of this package than who drains. */
export function isReadAhead(source: unknown): source is ReadAhead {
  return typeof source === 'object' && source !== null && 'begun' in source
}
