import { closeSync, constants, fstatSync } from 'node:fs'
import { fromSystemError, IngestError } from '../error.ts'
import { notAFile, openRegularFile } from '../part-file/open-regular-file.ts'
import { DEFLATE } from '../zip/fields.ts'
import { assertRoom, isNotSmaller } from './bounded-sink.ts'
import { recompressPath } from './left-overs.ts'
import type { RecompressedZip, RecompressOptions } from './options.ts'
import { type ArchiveEntry, readArchive } from './read-archive.ts'
import { changed, Successor } from './successor.ts'
import { writeEntries } from './write-entries.ts'

const VERB = 'recompress'

/**
 * Writes a copy of the archive `path` with one entry fully compressed, verifies that its bytes are
 * the same, and replaces the archive by it: at every moment, `kill -9` included, the old or the new
 * archive has the name. `removeRecompressLeftOvers` removes what a killed process leaves.
 * Throws an `IngestError` and leaves the archive unchanged: `UNSUPPORTED` (not written by this
 * package, or no deflated entry of that name), `DAMAGED` (its bytes do not have its CRC), `CHANGED`
 * (another process wrote to it, replaced or removed it), `EXISTS` (another process recompresses it),
 * `NOT_A_FILE`, `NO_SPACE` and others. An aborted signal throws its reason.
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
    fd ??= openRegularFile(path, constants.O_RDONLY, VERB)
    const found = fstatSync(fd, { bigint: true })
    if (!found.isFile()) throw notAFile(path, VERB, 'it is not a regular file')
    if (found.nlink === 0n) throw changed(path)
    // a process that is about to remove the other name would leave the old archive as a second one
    if (found.nlink > 1n) {
      throw notAFile(path, VERB, 'it has another name, where it would not change')
    }
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
    await successor.verify(entry)
    signal?.throwIfAborted()
    await successor.replaceOld()
    return { outcome: 'replaced', fromBytes, bytes: successor.bytes, entry: written }
  } catch (error) {
    signal?.throwIfAborted()
    if (isNotSmaller(error)) return { outcome: 'kept', fromBytes }
    throw fromSystemError(VERB, path, error)
  } finally {
    if (fd !== undefined && options.fd === undefined) closeSync(fd)
  }
}

function entryOf(path: string, entries: readonly ArchiveEntry[], name: string): ArchiveEntry {
  const entry = entries.find((one) => one.name === name)
  if (entry?.record.method === DEFLATE) return entry
  const why = entry === undefined ? 'it is not there' : 'it is not deflated'
  const message = `Cannot recompress entry \`${name}\` of \`${path}\`: ${why}`
  throw new IngestError('UNSUPPORTED', name, message)
}
