import { fromSystemError, isIngestError } from '../error.ts'
import { ElfMeter } from '../elf/elf-meter.ts'
import type { ZipEntryWriter } from '../zip/entry-writer.ts'
import type { ZipWriter } from '../zip/zip-writer.ts'
import { BlockPool, type Block } from './block-pool.ts'
import { EngineChoice } from './engine/engine.ts'
import { codecFor } from './encode/codec.ts'
import { Encoder } from './encode/encoder.ts'
import type { DrainOptions, DrainProgress } from './options.ts'
import { completeness, cutShort, type DrainResult, type Ending } from './result.ts'
import { blocksFor, budgetLeft, modeWith, settingsOf, storingPolicy } from './settings.ts'
import { FileSource, IterableSource, type BlockSource } from './source/block-source.ts'
import { isReadAhead, kindOfSource, type DrainSource } from './source/drain-source.ts'
import { PipeSource } from './source/pipe-source.ts'

const PROGRESS_INTERVAL_MS = 100

/**
 * Reads `source` to its end, as fast as `zip` takes it, into one entry.
 * A source that stops early, or is stopped, is a result (`complete: false`), not an error. A failed
 * write closes the source at once; the entry keeps the beginning that was written, less
 * `spareBytes` of it on a full disk. Where nothing can be kept, the entry is removed and an
 * `IngestError` thrown. Bad options and names (`INVALID_OPTION`, `INVALID_NAME`, `DUPLICATE_NAME`,
 * `MISUSE`) throw before the source is touched.
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
  const pool = begun?.pool ?? new BlockPool(blockBytes, blocksFor(settings))
  const open = (): BlockSource => {
    if (typeof source === 'number') {
      return kind === 'pipe' ? new PipeSource(source, pool) : new FileSource(source, pool)
    }
    return isReadAhead(source) ? source.begun.blocks : new IterableSource(source, pool)
  }
  const isReading = (): boolean => blocks.closedAt === undefined
  const engine = new EngineChoice({
    ...settings,
    koffiPath: options.koffiPath,
    isReading,
    onKoffi: (koffi) => blocks.enlarge?.(koffi),
  })
  const codec = codecFor(mode, level, engine)
  const entry = await openEntry(zip, codec.method, options, open)

  const blocks = open()
  let failure: unknown
  const encoder = new Encoder(entry, codec, pool, {
    ...settings,
    engine,
    writesOnPool: isReading,
    stores: storingPolicy(settings, started, engine),
    storesAfterMs: budgetLeft(settings, started),
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
      onData: options.onData,
      onBlock: (block) => encoder.push(block),
      onBytes: report,
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
      mode: modeWith(engine, mode),
      ...(mode !== 'zstd' && { engine: engine.name }),
      ...(engine.failure !== undefined && { engineFailure: engine.failure }),
      elf: ending.elf,
      ...completeness(ending),
      heldMs,
      treated,
    }
  } catch (error) {
    encoder.close()
    // where the entry cannot be removed, the next use of the archive throws
    await entry.abandon().catch(() => {})
    throw fromSystemError('drain into', entryName, error)
  } finally {
    encoder.close()
    pool.free()
  }
}

/** Closes the source when a write fails, not when the name is refused. */
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

/** Calls `onProgress` at most ten times a second. */
function progressReporter(
  onProgress: ((progress: DrainProgress) => void) | undefined,
  entry: ZipEntryWriter,
): (bytes: number, elf: ElfMeter) => void {
  if (onProgress === undefined) return () => {}
  let next = 0
  return (bytes, elf) => {
    const now = performance.now()
    if (now < next) return
    next = now + PROGRESS_INTERVAL_MS
    const { expectedBytes } = elf.facts()
    const storedBytes = entry.compressedBytes
    onProgress({ bytes, storedBytes, ...(expectedBytes !== undefined && { expectedBytes }) })
  }
}

interface ReadAllOptions {
  readonly maxBytes: number
  readonly signal: AbortSignal | undefined
  readonly onData: ((bytes: Buffer) => Promise<void> | undefined) | undefined
  /** Must release each block. */
  readonly onBlock: (block: Block) => void
  /** Called after each block. */
  readonly onBytes: (bytes: number, elf: ElfMeter) => void
}

/** Reads until the end, the limit, the signal or a failure, and closes the source. */
async function readAll(source: BlockSource, options: ReadAllOptions): Promise<Ending> {
  const { maxBytes, signal, onData, onBlock, onBytes } = options
  const elf = new ElfMeter()
  let bytes = 0
  let stopped: Ending['stopped']
  const abort = (): void => {
    // at the end of the source there is nothing left to stop
    if (source.closedAt === undefined) stopped ??= { cut: 'aborted', why: signal?.reason }
    source.close()
  }
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    for (let block = await source.next(); block !== undefined; block = await source.next()) {
      const taken = onData?.(block.buffer.subarray(0, block.length))
      if (taken !== undefined) await taken
      const room = maxBytes - bytes
      if (block.length > room) {
        block.length = room
        stopped = { cut: 'limit', why: undefined }
        source.close()
      }
      bytes += block.length
      elf.push(block.buffer.subarray(0, block.length))
      onBlock(block)
      onBytes(bytes, elf)
      if (stopped?.cut === 'limit') break
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    source.close()
  }
  if (source.failure) stopped ??= { cut: 'read-error', why: source.failure }
  return { bytes, maxBytes, elf: elf.facts(), ...(stopped && { stopped }) }
}
