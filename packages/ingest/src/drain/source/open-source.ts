import type { BlockPool } from '../block-pool.ts'
import type { DrainSource } from '../options.ts'
import { isReadAhead } from './ahead.ts'
import type { BlockSource } from './block-source.ts'
import { FileSource } from './file-source.ts'
import { IterableSource } from './iterable-source.ts'
import type { SourceKind } from './kind-of-source.ts'
import { PipeSource } from './pipe-source.ts'

/** Begins to read, into blocks of `pool` unless it has begun before. */
export function openSource(source: DrainSource, kind: SourceKind, pool: BlockPool): BlockSource {
  if (typeof source !== 'number') {
    return isReadAhead(source) ? source.begun.blocks : new IterableSource(source, pool)
  }
  return kind === 'pipe' ? new PipeSource(source, pool) : new FileSource(source, pool)
}
