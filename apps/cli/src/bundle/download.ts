import { createWriteStream, createReadStream } from 'node:fs'
import { rm, stat, rename, statfs } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { CliError, messageOf } from '../error.ts'
import { show } from '../output/output.ts'
import type { Store, StoredObject } from '../store/store.ts'
import { formatBytes } from '../output/format.ts'
import { type Archive, type ArchiveEntry, expand } from './archive.ts'

const MAX_FAILURES = 5
const FIRST_DELAY_MS = 500

interface DownloadOptions {
  readonly store: Store
  readonly object: StoredObject
  /** Bytes of the object. */
  readonly start: number
  readonly length: number
  /** Grows to `length`; what is there already is not loaded again. */
  readonly path: string
  /** Called with the bytes of each piece that arrived. */
  readonly onBytes?: (bytes: number) => void
}

/** How much of a download is there already. */
export async function downloadedBytes(path: string, length: number): Promise<number> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0
  return size > length ? 0 : size
}

/**
 * Loads a part of an object into a file, which stays when it fails, so that the next attempt resumes.
 * Five failures one after the other, without a byte between them, end it.
 *
 * @throws CliError of the store
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { path, length } = options
  let failures = 0
  for (;;) {
    const before = await downloadedBytes(path, length)
    if (before === 0) await rm(path, { force: true })
    if (before === length && length > 0) return
    try {
      await append(options, before)
      if (length === 0) return
    } catch (error) {
      if (isLocal(error)) throw localError(path, error)
      failures = (await downloadedBytes(path, length)) > before ? 1 : failures + 1
      const isFinal = error instanceof CliError && !error.retryable
      if (failures >= MAX_FAILURES || isFinal) throw asStoreError(options, error)
      await sleep(FIRST_DELAY_MS * 2 ** (failures - 1))
    }
  }
}

async function append(options: DownloadOptions, from: number): Promise<void> {
  const { store, object, start, length, path, onBytes } = options
  const source =
    length === 0 ? Readable.from([]) : await store.stream(object, start + from, length - from)
  await pipeline(
    source,
    async function* count(chunks: AsyncIterable<Buffer>) {
      let left = length - from
      for await (const chunk of chunks) {
        if (chunk.length > left) throw new Error('the store sent more bytes than asked for')
        left -= chunk.length
        onBytes?.(chunk.length)
        yield chunk
      }
      if (left > 0) throw new Error(`the connection ended ${left} bytes too early`)
    },
    createWriteStream(path, { flags: 'a', mode: 0o600 }),
  )
}

/** What the local disk refuses is refused again. */
function isLocal(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return 'path' in error || ('syscall' in error && error.syscall === 'write')
}

function localError(path: string, cause: unknown): CliError {
  return new CliError('LOCAL', `Cannot write ${show(path)}: ${messageOf(cause)}`, { cause })
}

function asStoreError({ store, object }: DownloadOptions, cause: unknown): CliError {
  if (cause instanceof CliError) return cause
  const message = `Cannot load ${show(store.url + object.key)}: ${messageOf(cause)}; run it again to resume`
  return new CliError('STORE', message, { cause })
}

interface FetchOptions {
  readonly store: Store
  readonly archive: Archive
  readonly entry: ArchiveEntry
  /** Of the expanded file; `<path>.part` holds the stored bytes until then. */
  readonly path: string
  readonly onBytes?: (bytes: number) => void
}

/**
 * Loads one entry into a file: its stored bytes first, which is resumed, then expanded with its CRC checked.
 * A file that is there already and has that CRC is left as it is.
 *
 * @throws CliError `DAMAGED` when the content is not the one in the zip, `LOCAL` when it cannot be written
 */
export async function fetchEntry(options: FetchOptions): Promise<void> {
  const { store, archive, entry, path, onBytes } = options
  if (await isThere(path, entry)) return
  await checkSpace(path, entry)
  const part = `${path}.part`
  await download({
    store,
    object: archive.object,
    start: await archive.dataStart(entry),
    length: entry.compressedSize,
    path: part,
    ...(onBytes && { onBytes }),
  })
  const expanded = `${path}.expanding`
  try {
    const content = expand(createReadStream(part), entry)
    await pipeline(content, createWriteStream(expanded, { mode: 0o600 }))
    await rename(expanded, path)
  } catch (cause) {
    await rm(expanded, { force: true })
    // all that is read and written here is on this machine
    if (cause instanceof Error && 'syscall' in cause) throw localError(path, cause)
    // the part is no beginning of what is wanted
    await rm(part, { force: true })
    const message = `Cannot expand ${show(entry.fileName)} of ${show(archive.object.key)}: ${messageOf(cause)}; try again, and if it stays so the stored bundle is damaged`
    throw new CliError('DAMAGED', message, { cause })
  }
  await rm(part, { force: true })
}

async function isThere(path: string, entry: ArchiveEntry): Promise<boolean> {
  let crc = 0
  let bytes = 0
  try {
    for await (const chunk of createReadStream(path)) {
      if (!Buffer.isBuffer(chunk)) continue
      crc = crc32(chunk, crc)
      bytes += chunk.length
    }
  } catch {
    return false
  }
  if (crc === entry.crc32 && bytes === entry.uncompressedSize) return true
  const message = `Cannot write ${show(path)}: another file has that name; remove it, or choose another directory with -o`
  throw new CliError('LOCAL', message)
}

/** A zip may declare any size. */
async function checkSpace(path: string, entry: ArchiveEntry): Promise<void> {
  const { bavail, bsize } = await statfs(path.slice(0, path.lastIndexOf('/')) || '/')
  const needed = entry.compressedSize + entry.uncompressedSize
  if (bavail * bsize >= needed) return
  const message = `Cannot write ${show(path)}: it needs ${formatBytes(needed)} and ${formatBytes(bavail * bsize)} are free; choose another directory`
  throw new CliError('LOCAL', message)
}
