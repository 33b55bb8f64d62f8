import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm, statfs } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import type { Entry } from 'yauzl'
import { CliError, messageOf } from '../error.ts'
import { formatBytes } from '../output/format.ts'
import { show } from '../output/escape.ts'
import type { Store } from '../store/store.ts'
import { type Archive, expand } from './archive.ts'
import { download } from './download.ts'

export interface FetchOptions {
  readonly store: Store
  readonly archive: Archive
  readonly entry: Entry
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
    if (isLocal(cause)) throw local(path, cause)
    // the part is no beginning of what is wanted
    await rm(part, { force: true })
    const message = `Cannot expand ${show(entry.fileName)} of ${show(archive.object.key)}: ${messageOf(cause)}; try again, and if it stays so the stored bundle is damaged`
    throw new CliError('DAMAGED', message, { cause })
  }
  await rm(part, { force: true })
}

async function isThere(path: string, entry: Entry): Promise<boolean> {
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
async function checkSpace(path: string, entry: Entry): Promise<void> {
  const { bavail, bsize } = await statfs(path.slice(0, path.lastIndexOf('/')) || '/')
  const needed = entry.compressedSize + entry.uncompressedSize
  if (bavail * bsize >= needed) return
  const message = `Cannot write ${show(path)}: it needs ${formatBytes(needed)} and ${formatBytes(bavail * bsize)} are free; choose another directory`
  throw new CliError('LOCAL', message)
}

function isLocal(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

function local(path: string, cause: unknown): CliError {
  return new CliError('LOCAL', `Cannot write ${show(path)}: ${messageOf(cause)}`, { cause })
}
