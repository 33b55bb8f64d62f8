import { fstatSync } from 'node:fs'
import { invalid } from '../invalid.ts'
import type { DrainSource } from '../options.ts'
import { isReadAhead } from './ahead.ts'

/** What can be drained from; decided before anything is read. */
export type SourceKind = 'pipe' | 'file' | 'iterable' | 'ahead'

/** Throws `INVALID_OPTION` for what is none. */
export function kindOfSource(source: DrainSource): SourceKind {
  if (typeof source !== 'number') {
    if (isReadAhead(source)) return 'ahead'
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
