import { closeSync, openSync } from 'node:fs'
import type { Block } from '../block-pool.ts'
import type { Koffi } from '../engine/koffi.ts'

/** Where blocks of bytes come from. */
export interface BlockSource {
  /** The next block, to be released by the caller; undefined at the end, after `close` or a failure. */
  next(): Promise<Block | undefined>
  /** Stops reading and closes the source at once; blocks already read are still delivered. */
  close(): void
  /** When it was closed; milliseconds, as `performance.now()`. */
  readonly closedAt: number | undefined
  /** Why it ended early, if it failed. */
  readonly failure: Error | undefined
  /** Makes room for more bytes between the writer and us, where the source can have it. */
  enlarge?(koffi: Koffi): void
}

/** Closes `fd`; 0, 1 and 2 become /dev/null, because no other file should get their number. */
export function closeFd(fd: number): void {
  closeSync(fd)
  if (fd > 2) return
  const opened = openNull(fd)
  // a thread of the pool was faster: then the number is taken anyway
  if (opened !== undefined && opened !== fd) closeSync(opened)
}

/** Undefined on a root without devices: the number stays free then, and the process is released anyway. */
function openNull(fd: number): number | undefined {
  try {
    return openSync('/dev/null', fd === 0 ? 'r' : 'w')
  } catch {
    return undefined
  }
}
