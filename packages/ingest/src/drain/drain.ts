import type { ZipWriter } from '../zip/zip-writer.ts'
import type { DrainOptions, DrainSource } from './options.ts'
import type { DrainResult } from './result.ts'

/**
 * Reads `source` to its end as fast as `zip` takes it, into one entry.
 * A source that stops early, or is stopped, is a result (`complete: false`), not an error;
 * a write that fails closes the source at once, takes the entry back and throws an `IngestError`.
 */
export function drain(
  _source: DrainSource,
  _zip: ZipWriter,
  _options: DrainOptions,
): Promise<DrainResult> {
  throw new Error('not yet')
}
