import type { Block } from '../block-pool.ts'

/** Where blocks of bytes come from. */
export interface BlockSource {
  /** The next block, held once for the caller; undefined at the end, after `close` or a failure. */
  next(): Promise<Block | undefined>
  /** Stops reading and gives the source back to the system at once. What was read is still delivered. */
  close(): void
  /** When it was closed; milliseconds, as `performance.now()`. */
  readonly closedAt: number | undefined
  /** Why it ended early, if it failed. */
  readonly failure: Error | undefined
}
