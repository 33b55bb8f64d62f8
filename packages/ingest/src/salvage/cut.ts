import type { FileWindow } from './file-window.ts'
import type { Plain } from './plain.ts'

/** The part of an entry's data that can be used. */
export interface Cut {
  /** Its end in the file: what comes later refers to nothing behind it that is missing. */
  readonly end: number
  /** The data ends there of itself. */
  readonly ended: boolean
  /** What could be expanded of the bytes after `end`; not yet in `Plain`. */
  readonly tail: Buffer
}

/** Finds the usable part of data that begins at `start`, and pushes what it expands to into `plain`. */
export type Cutter = (window: FileWindow, start: number, plain: Plain) => Promise<Cut>

export const NO_TAIL: Buffer = Buffer.alloc(0)

/**
 * Output is taken in one piece of this size, which holds any part of ours. No multiple of a page:
 * where a zstd frame just fills its output, Node goes on into the next one.
 */
export const OUTPUT_BYTES: number = 1024 * 1024 + 1

/** No part of one entry expands to more: neither ours nor what a hostile byte makes of it. */
export const MAX_PART_BYTES: number = 16 * 1024 * 1024
