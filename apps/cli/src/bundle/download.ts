import { createWriteStream, createReadStream } from 'node:fs'
import { rm, stat, rename, statfs } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { CliError, messageOf } from '../error.ts'
import { show } from '../output/output.ts'
import type { Store, StoredObject } from '../store/store.ts'
import { formatBytes } from '../output/format.ts'
import { type Archive, type ArchiveEntry, expand } from './archive.ts'
import { readRange } from './read-range.ts'

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
 *
 * @throws CliError of the store, or `LOCAL` when the file cannot be written
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { store, object, start, length, path, onBytes } = options
  const from = await downloadedBytes(path, length)
  const range = { store, object, start: start + from, length: length - from, onBytes }
  try {
    const file = createWriteStream(path, { flags: from === 0 ? 'w' : 'a', mode: 0o600 })
    await pipeline(readRange(range), file)
  } catch (error) {
    throw error instanceof CliError ? error : localError(path, error)
  }
}

/** This machine does not take a file. */
export function localError(path: string, cause: unknown): CliError {
  const message = `Cannot write ${show(path)}: ${messageOf(cause)}; make room, or choose another directory`
  return new CliError('LOCAL', message, { cause })
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
  await checkSpace(path, entry, await downloadedBytes(`${path}.part`, entry.compressedSize))
  await loadOrResume(`${path}.part`, entry.compressedSize, async (part) => {
    await download({
      store,
      object: archive.object,
      start: await archive.dataStart(entry),
      length: entry.compressedSize,
      path: part,
      ...(onBytes && { onBytes }),
    })
    await expandPart(options, part)
  })
}

/**
 * Runs `load`, which continues a file of `length` bytes at `part` and checks it. When it is damaged, and had
 * not been begun by this call, its beginning may be of another object: then it is loaded once more, from its
 * first byte.
 */
export async function loadOrResume(
  part: string,
  length: number,
  load: (part: string) => Promise<void>,
): Promise<void> {
  const isResumed = (await downloadedBytes(part, length)) > 0
  try {
    await load(part)
  } catch (error) {
    if (!isResumed || !(error instanceof CliError) || error.code !== 'DAMAGED') throw error
    await rm(part, { force: true })
    await load(part)
  }
}

async function expandPart({ archive, entry, path }: FetchOptions, part: string): Promise<void> {
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
    const message = `Cannot expand ${show(entry.fileName)} of ${show(archive.object.key)}: ${messageOf(cause)}; \`cdh verify\` names what is damaged`
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
async function checkSpace(path: string, entry: ArchiveEntry, downloaded: number): Promise<void> {
  const { bavail, bsize } = await statfs(path.slice(0, path.lastIndexOf('/')) || '/')
  const needed = entry.compressedSize - downloaded + entry.uncompressedSize
  if (bavail * bsize >= needed) return
  const message = `Cannot write ${show(path)}: it needs ${formatBytes(needed)} and ${formatBytes(bavail * bsize)} are free; choose another directory`
  throw new CliError('LOCAL', message)
}
