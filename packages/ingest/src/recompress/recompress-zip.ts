import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { fromSystemError, IngestError } from '../error.ts'
import { assertRoom, isNotSmaller } from './bounded-sink.ts'
import { recompressPath } from './left-overs.ts'
import type { RecompressedZip, RecompressOptions } from './options.ts'
import { type ArchiveEntry, readArchive } from './read-archive.ts'
import { changed, Successor } from './successor.ts'
import { writeEntries } from './write-entries.ts'

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
const DEFLATE = 8

/**
 * Writes the archive `path` anew beside it with one entry compressed in full, proves that its bytes
 * are the same, and puts it into its place: at every moment, `kill -9` included, the old or the new
 * archive has the name. What a killed one leaves goes by `removeRecompressLeftOvers`.
 * Throws an `IngestError` with the archive as it was: `UNSUPPORTED` (not as this package writes it,
 * or no deflated entry of that name), `DAMAGED` (its bytes are not those of its CRC), `CHANGED`
 * (somebody wrote to it, replaced or removed it), `EXISTS` (somebody is at it), `NOT_A_FILE`,
 * `NO_SPACE` and the like. An aborted signal throws its reason.
 */
export async function recompressZip(
  path: string,
  options: RecompressOptions,
): Promise<RecompressedZip> {
  const { signal, minSaving = 0.05, minFreeBytes = 0 } = options
  let fd = options.fd
  let fromBytes = 0
  try {
    signal?.throwIfAborted()
    fd ??= openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const found = fstatSync(fd, { bigint: true })
    if (!found.isFile()) throw notAFile(path, 'it is no regular file')
    if (found.nlink === 0n) throw changed(path)
    // whoever is about to remove the other name would leave the old archive as a second one
    if (found.nlink > 1n) throw notAFile(path, 'it has another name, where it would stay as it is')
    fromBytes = Number(found.size)
    const maxBytes = Math.floor(fromBytes * (1 - minSaving))
    const entries = await readArchive(fd, fromBytes, path)
    const entry = entryOf(path, entries, options.entryName)
    if (fromBytes - entry.record.compressedBytes > maxBytes) return { outcome: 'kept', fromBytes }
    const beside = recompressPath(path)
    assertRoom(beside, maxBytes, minFreeBytes)
    await using successor = Successor.create(beside, path, fd, found)
    const written = await writeEntries(successor.sink({ maxBytes, minFreeBytes }), {
      ...options,
      path,
      fd,
      entries,
      entry,
    })
    await successor.prove(entry)
    signal?.throwIfAborted()
    await successor.takePlace()
    return { outcome: 'replaced', fromBytes, bytes: successor.bytes, entry: written }
  } catch (error) {
    signal?.throwIfAborted()
    if (isNotSmaller(error)) return { outcome: 'kept', fromBytes }
    if (isLink(error)) throw notAFile(path, 'it is a symbolic link')
    throw fromSystemError('compress anew', path, error)
  } finally {
    if (fd !== undefined && options.fd === undefined) closeSync(fd)
  }
}

function entryOf(path: string, entries: readonly ArchiveEntry[], name: string): ArchiveEntry {
  const entry = entries.find((one) => one.name === name)
  if (entry?.record.method === DEFLATE) return entry
  const why = entry === undefined ? 'it is not there' : 'it is not deflated'
  const message = `Cannot compress entry \`${name}\` of \`${path}\` anew: ${why}`
  throw new IngestError('UNSUPPORTED', name, message)
}

// what O_NOFOLLOW answers, open(2)
function isLink(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ELOOP'
}

function notAFile(path: string, why: string): IngestError {
  return new IngestError('NOT_A_FILE', path, `Cannot compress \`${path}\` anew: ${why}`)
}
