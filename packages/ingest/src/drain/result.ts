import type { ElfFacts } from '../elf/elf-facts.ts'
import type { Treated } from './encode/checkpoints.ts'
import type { DrainMode } from './options.ts'

/**
 * Why an entry holds less than it could.
 * - `aborted`: the signal ended it.
 * - `limit`: there was more than `maxBytes`.
 * - `read-error`: the source failed.
 * - `no-space`: the disk is full, or the quota, or the file as large as it may be.
 * - `write-error`: the archive could not be written any further.
 * - `truncated`: it ended before the length its ELF headers promise, as when the kernel stops writing.
 * - `empty`: it ended without a byte.
 */
export type DrainCut =
  | 'aborted'
  | 'limit'
  | 'read-error'
  | 'no-space'
  | 'write-error'
  | 'truncated'
  | 'empty'

export interface DrainResult {
  readonly entryName: string
  /** Bytes kept, before compression. */
  readonly bytes: number
  /** Bytes they take in the archive. */
  readonly storedBytes: number
  /** CRC-32 of the bytes kept, unsigned. */
  readonly crc32: number
  /** Compression method recorded in the archive; `store` is deflate too, in stored blocks. */
  readonly method: 'deflate' | 'zstd'
  readonly mode: DrainMode
  /** What the first bytes say about themselves. */
  readonly elf: ElfFacts
  /** The source was read to its end, and that is not before the length its ELF headers promise. */
  readonly complete: boolean
  /** Set when `complete` is false. */
  readonly cut?: DrainCut
  /** One sentence for people; set when `complete` is false. */
  readonly reason?: string
  /** Milliseconds from the call until the source was closed. */
  readonly heldMs: number
  /** How the bytes kept were treated; the three add up to `bytes`. */
  readonly treated: Treated
}
