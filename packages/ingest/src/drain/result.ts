import type { ElfFacts } from '../elf/elf-meter.ts'
import { isNoSpace, messageOf } from '../error.ts'
import type { Treated } from './encode/checkpoints.ts'
import type { CompressionEngine, DrainMode } from './options.ts'

/**
 * Why an entry does not hold the whole source.
 * - `aborted`: the signal ended the reading.
 * - `limit`: the source has more than `maxBytes`.
 * - `read-error`: the source failed.
 * - `no-space`: the disk, the quota or the file size limit is full.
 * - `write-error`: the archive could not be written any further.
 * - `truncated`: the source ended before the length its ELF headers promise, as when the kernel
 *   stops writing.
 * - `empty`: the source ended without a byte.
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
  /** What compressed; absent for zstd. */
  readonly engine?: CompressionEngine
  /** Why ISA-L could not be loaded, where that was tried. */
  readonly engineFailure?: string
  /** What its ELF headers contain. */
  readonly elf: ElfFacts
  /** The source was read to its end, and has the length its ELF headers promise. */
  readonly complete: boolean
  /** Set when `complete` is false. */
  readonly cut?: DrainCut
  /** The same as one sentence; set when `complete` is false. */
  readonly reason?: string
  /** Milliseconds from the call until the source was closed. */
  readonly heldMs: number
  /** How the kept bytes were encoded; the three add up to `bytes`. */
  readonly treated: Treated
}

/** How the reading ended. */
export interface Ending {
  readonly bytes: number
  readonly maxBytes: number
  readonly elf: ElfFacts
  /** What stopped it before the end of the source. */
  readonly stopped?: {
    readonly cut: Exclude<DrainCut, 'truncated' | 'empty'>
    readonly why: unknown
  }
}

/** The same, where only the first `bytes` could be written. */
export function cutShort(ending: Ending, bytes: number, why: unknown): Ending {
  return { ...ending, bytes, stopped: { cut: isNoSpace(why) ? 'no-space' : 'write-error', why } }
}

/** Whether the whole source was kept, and if not, why. */
export function completeness(ending: Ending): Pick<DrainResult, 'complete' | 'cut' | 'reason'> {
  const cut = cutOf(ending)
  return cut === undefined
    ? { complete: true }
    : { complete: false, cut, reason: reasonOf(cut, ending) }
}

function cutOf({ bytes, elf, stopped }: Ending): DrainCut | undefined {
  if (stopped) return stopped.cut
  if (bytes === 0) return 'empty'
  return bytes < (elf.expectedBytes ?? 0) ? 'truncated' : undefined
}

function reasonOf(cut: DrainCut, { bytes, maxBytes, elf, stopped }: Ending): string {
  const promised =
    elf.expectedBytes === undefined ? '' : ` of the ${elf.expectedBytes} its ELF headers promise`
  const place = `after ${bytes} bytes${promised}`
  const reasons: Record<DrainCut, string> = {
    aborted: `Stopped ${place}: ${messageOf(stopped?.why)}`,
    limit: `Cut ${place}: the limit is ${maxBytes} bytes`,
    'read-error': `Reading failed ${place}: ${messageOf(stopped?.why)}`,
    'no-space': `Cut ${place}, so that the rest of the archive has room: ${messageOf(stopped?.why)}`,
    'write-error': `Cut ${place}: ${messageOf(stopped?.why)}`,
    truncated: `The source ended ${place}: its writer was stopped, as by SIGKILL`,
    empty: 'The source ended without a byte',
  }
  return reasons[cut]
}
