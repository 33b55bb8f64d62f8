import { fstatSync } from 'node:fs'
import type { BlockPool } from '../block-pool.ts'
import { invalid } from '../invalid.ts'
import type { DrainSource } from '../options.ts'
import type { BlockSource } from './block-source.ts'
import { FileSource } from './file-source.ts'
import { IterableSource } from './iterable-source.ts'
import { PipeSource } from './pipe-source.ts'

/** What can be drained from; decided before anything is read. */
export type SourceKind = 'pipe' | 'file' | 'iterable'

/** Throws `INVALID_OPTION` for what is none. */
export function kindOfSource(source: DrainSource): SourceKind {
  if (typeof source !== 'number') {
    if (typeof source?.[Symbol.asyncIterator] === 'function') return 'iterable'
    throw invalid('source', 'a file descriptor or an async iterable of bytes', typeof source)
  }
  try {
    const stat = fstatSync(source)
    if (stat.isDirectory()) throw new TypeError('it is a directory')
    return stat.isFIFO() || stat.isSocket() ? 'pipe' : 'file'
  } catch (cause) {
    throw invalid('source', 'an open file descriptor', String(source), cause)
  }
}

export function openSource(source: DrainSource, kind: SourceKind, pool: BlockPool): BlockSource {
  if (typeof source !== 'number') return new IterableSource(source, pool)
  return kind === 'pipe' ? new PipeSource(source, pool) : new FileSource(source, pool)
}
