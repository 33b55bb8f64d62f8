import { fromSystemError, isIngestError } from '../error.ts'
import type { ElfMeter } from '../elf/elf-meter.ts'
import type { ZipEntryWriter } from '../zip/entry-writer.ts'
import type { ZipWriter } from '../zip/zip-writer.ts'
import { BlockPool } from './block-pool.ts'
import { codecOf } from './encode/codec-of.ts'
import { Encoder } from './encode/encoder.ts'
import { cutShort, judge } from './ending.ts'
import type { DrainOptions, DrainSource } from './options.ts'
import { progressReporter } from './progress.ts'
import { readAll } from './read-all.ts'
import type { DrainResult } from './result.ts'
import { blocksFor, settingsOf } from './settings.ts'
import { isReadAhead } from './source/ahead.ts'
import type { BlockSource } from './source/block-source.ts'
import { kindOfSource } from './source/kind-of-source.ts'
import { openSource } from './source/open-source.ts'
import { storingPolicy } from './storing-policy.ts'

/**
 * Reads `source` to its end as fast as `zip` takes it, into one entry.
 * A source that stops early, or is stopped, is a result (`complete: false`), not an error. A write
 * that fails closes the source at once; the entry keeps the beginning that is in place, less
 * `spareBytes` of it on a full disk. Where that cannot be, it is taken back and an `IngestError`
 * thrown. Bad options and names (`INVALID_OPTION`, `INVALID_NAME`, `DUPLICATE_NAME`, `MISUSE`)
 * throw before the source is touched.
 */
export async function drain(
  source: DrainSource,
  zip: ZipWriter,
  options: DrainOptions,
): Promise<DrainResult> {
  const begun = isReadAhead(source) ? source.begun : undefined
  const started = begun?.at ?? performance.now()
  const settings = settingsOf(options)
  const { entryName, mode, level, maxBytes, blockBytes } = settings
  const kind = kindOfSource(source)
  const codec = codecOf(mode, level)
  const pool = begun?.pool ?? new BlockPool(blockBytes, blocksFor(settings))
  const open = (): BlockSource => openSource(source, kind, pool)
  const entry = await openEntry(zip, codec.method, options, open)

  const blocks = open()
  let failure: unknown
  const encoder = new Encoder(entry, codec, pool, {
    ...settings,
    stores: storingPolicy(settings, started),
    onError: (error) => {
      failure ??= error
      blocks.close()
    },
  })
  try {
    const report = progressReporter(options.onProgress, entry)
    const read = await readAll(blocks, {
      maxBytes,
      signal: options.signal,
      onBlock: (block) => encoder.push(block),
      onBytes: (bytes: number, elf: ElfMeter) => report(bytes, elf),
    })
    const heldMs = (blocks.closedAt ?? performance.now()) - started
    options.onRelease?.(heldMs)
    const { bytes, crc32, treated } = await encoder.finish()
    const ending = failure === undefined ? read : cutShort(read, bytes, failure)
    const { compressedBytes } = await entry.finish({ bytes, crc32 })
    return {
      entryName,
      bytes,
      storedBytes: compressedBytes,
      crc32,
      method: codec.name,
      mode,
      elf: ending.elf,
      ...judge(ending),
      heldMs,
      treated,
    }
  } catch (error) {
    encoder.close()
    // a sink that cannot take it back leaves the archive failed, and says so on its next use
    await entry.abandon().catch(() => {})
    throw fromSystemError('drain into', entryName, error)
  } finally {
    encoder.close()
  }
}

/** A name that is refused leaves the source to the caller; a disk that refuses does not. */
async function openEntry(
  zip: ZipWriter,
  method: 8 | 93,
  { entryName, mtime }: DrainOptions,
  open: () => BlockSource,
): Promise<ZipEntryWriter> {
  try {
    return await zip.entry(entryName, { method, ...(mtime && { mtime }) })
  } catch (error) {
    const refused = ['INVALID_NAME', 'DUPLICATE_NAME', 'MISUSE']
    if (!(isIngestError(error) && refused.includes(error.code))) open().close()
    throw error
  }
}
