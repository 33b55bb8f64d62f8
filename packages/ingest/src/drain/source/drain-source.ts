import { fstatSync } from 'node:fs'
import { invalidOption } from '../../error.ts'
import { BlockPool } from '../block-pool.ts'
import { blocksFor, DEFAULT_BLOCK_BYTES, defaultLanes } from '../settings.ts'
import type { BlockSource } from './block-source.ts'
import { PipeSource } from './pipe-source.ts'

/**
 * A file descriptor (pipe, socket or regular file; owned by `drain` from then on, and closed by it),
 * a pipe that is being read already, or any iterable of bytes.
 */
export type DrainSource = number | ReadAhead | AsyncIterable<Uint8Array>

/** A pipe that is being read before its archive exists. */
export interface ReadAhead {
  /** Resolves at its end, after 1.75 MiB, or after 50 ms. */
  readonly enough: Promise<void>
  /** What has been read so far, for a look before it is drained; valid until `drain` begins. */
  peek(): readonly Buffer[]
  /** Stops reading, where it will not be drained. Idempotent. */
  close(): void
  /** For `drain`. */
  readonly begun: { readonly blocks: BlockSource; readonly pool: BlockPool; readonly at: number }
}

/**
 * Begins to read a pipe or socket before there is an archive: most cores are small, and their
 * process is released before the rest of a program is loaded. Pass the result to `drain` in place of
 * `fd`, which it owns and closes from now on; `onRelease` is called then. `drain` must have the
 * default `lanes` and `blockBytes`. Undefined for a file: pass its `fd` to `drain`.
 */
export function readAhead(fd: number, onRelease?: () => void): ReadAhead | undefined {
  if (kindOfSource(fd) !== 'pipe') return undefined
  const at = performance.now()
  const pool = new BlockPool(DEFAULT_BLOCK_BYTES, blocksFor({ lanes: defaultLanes() }))
  const blocks = new PipeSource(fd, pool, onRelease)
  return {
    enough: blocks.enough,
    peek: () => blocks.peek(),
    close: () => blocks.close(),
    begun: { blocks, pool, at },
  }
}

/** By its shape, because it may come from another copy of this package. */
export function isReadAhead(source: unknown): source is ReadAhead {
  return typeof source === 'object' && source !== null && 'begun' in source
}

/** Throws `INVALID_OPTION` for anything that cannot be drained; reads nothing. */
export function kindOfSource(source: DrainSource): 'pipe' | 'file' | 'iterable' | 'ahead' {
  if (typeof source !== 'number') {
    if (isReadAhead(source)) return 'ahead'
    if (typeof source?.[Symbol.asyncIterator] === 'function') return 'iterable'
    throw invalidOption('source', 'a file descriptor or an async iterable of bytes', typeof source)
  }
  try {
    const stat = fstatSync(source)
    if (stat.isDirectory()) throw new TypeError('it is a directory')
    return stat.isFIFO() || stat.isSocket() ? 'pipe' : 'file'
  } catch (cause) {
    throw invalidOption('source', 'an open file descriptor', String(source), cause)
  }
}
