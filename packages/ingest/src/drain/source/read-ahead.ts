import { BlockPool } from '../block-pool.ts'
import { blocksFor, DEFAULT_BLOCK_BYTES, defaultLanes } from '../settings.ts'
import type { ReadAhead } from './ahead.ts'
import { kindOfSource } from './kind-of-source.ts'
import { PipeSource } from './pipe-source.ts'

/**
 * Begins to read a pipe or socket before there is an archive: most crashes are small, and their
 * process is free before the rest of a program is even loaded. To be given to `drain` in place of
 * `fd`, which is owned, and closed at its end, from now on; then `onRelease` is called, and `drain`
 * takes `lanes` and `blockBytes` as they are by default. Undefined for what is no pipe: `drain` it.
 */
export function readAhead(fd: number, onRelease?: () => void): ReadAhead | undefined {
  if (kindOfSource(fd) !== 'pipe') return undefined
  const at = performance.now()
  const pool = new BlockPool(DEFAULT_BLOCK_BYTES, blocksFor({ lanes: defaultLanes() }))
  const blocks = new PipeSource(fd, pool, onRelease)
  return { enough: blocks.enough, close: () => blocks.close(), begun: { blocks, pool, at } }
}
