import { closeSync, constants, fstatSync, lstatSync, openSync, rmSync, type Stats } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromSystemError, IngestError } from '../error.ts'
import { notAFile, openRegularFile, FileWindow, paceOf } from './file-window.ts'
import type { SalvagedZip, SalvageOptions, SalvageAddition, SavedZip } from './options.ts'
import { walk, readSmall, type Walk } from './walk.ts'
import { nameHash } from '../part-file/create-part-file.ts'
import { PartFile } from '../part-file/part-file.ts'
import { directoryChunks, headerCompletion } from '../zip/headers.ts'
import { entryNameBytes, type EntryRecord } from '../zip/fields.ts'
import { smallEntry } from '../zip/entry-writer.ts'

const MODE = 0o444

/**
 * Makes a valid archive of the file `path` that a killed `ZipWriter` has left, in place and in
 * bounded memory: ends the entry that was being written where its data is intact, and makes a
 * directory from the local headers. The caller must know that the writer is dead.
 * Throws an `IngestError`: `NOT_A_FILE`; `CHANGED` when another process writes to it; `EXISTS` when
 * `finalPath` is taken; `NO_SPACE` and others. It can be tried again then.
 */
export async function salvageZip(path: string, options: SalvageOptions): Promise<SalvagedZip> {
  let fd: number | undefined
  try {
    fd = openRegularFile(path, constants.O_RDONLY, 'salvage')
    const found = fstatSync(fd)
    const final = lstatSync(options.finalPath, { throwIfNoEntry: false })
    if (isSame(found, final)) {
      // its writer died between the two steps of publishing: link(2), then unlink(2)
      await unlink(path)
      return { outcome: 'published', entries: [] }
    }
    if (final !== undefined) throw taken(options.finalPath)
    if (found.nlink > 1) {
      throw notAFile(path, 'salvage', 'it has another name, where it would change too')
    }
    const end = Math.min(found.size, options.intactBytes ?? found.size)
    const window = new FileWindow(fd, 0, end, paceOf(options))
    if (options.isComplete === true) return await publishUnread({ path, found }, options)
    return await closeZip({ path, found, window, walked: await walk(window) }, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw fromSystemError('salvage', path, error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** A part file, and what a walk through it has found. */
interface Walked {
  readonly path: string
  readonly found: Stats
  readonly window: FileWindow
  readonly walked: Walk
}

/** Adds what is missing and publishes the file, or a new archive where nothing of it can be used. */
async function closeZip(file: Walked, options: SalvageOptions): Promise<SalvagedZip> {
  const { path, window, walked } = file
  const { entries, end, closing } = walked
  const records = walked.locals.map(({ record }) => record)
  if (closing === undefined && (await isDirectory(window, end, directoryChunks(records, end)))) {
    await using part = reopen(file, options)
    await part.publish()
    return { outcome: 'whole', entries }
  }
  const additions = [...(await options.addEntries(savedZip(file)))]
  if (entries.length === 0) {
    await using archive = createArchive(path, options.finalPath)
    await finish(archive, [], additions)
    // not before the record of its loss is on the disk
    await unlink(path)
    return { outcome: 'replaced', entries }
  }
  await using part = reopen(file, options)
  part.truncate(end)
  const last = walked.locals.at(-1)
  if (closing !== undefined && last !== undefined) {
    part.write(closing)
    for (const [bytes, position] of headerCompletion(last.record, last.zip64At)) {
      await part.patch(bytes, position)
    }
  }
  await finish(part, records, additions)
  return { outcome: 'closed', entries }
}

/** Gives a complete archive its final name. */
async function publishUnread(
  file: Pick<Walked, 'path' | 'found'>,
  options: SalvageOptions,
): Promise<SalvagedZip> {
  await using part = reopen(file, options)
  await part.publish()
  return { outcome: 'whole', entries: [] }
}

function savedZip({ found, window, walked: { entries, locals, end } }: Walked): SavedZip {
  return {
    entries,
    foundBytes: found.size,
    lostBytes: found.size - end,
    read: async (name) => {
      const local = locals.find((one) => one.name === name)
      return local?.ended === true ? readSmall(window, local) : undefined
    },
  }
}

async function finish(
  part: PartFile,
  records: readonly EntryRecord[],
  additions: readonly SalvageAddition[],
): Promise<void> {
  const all = [...records]
  const mtime = new Date()
  for (const [name, data] of additions) {
    const place = { name: entryNameBytes(name), mtime, mode: MODE, offset: part.bytes }
    const { record, chunks } = await smallEntry(data, place)
    part.write(chunks)
    all.push(record)
  }
  part.write([...directoryChunks(all, part.bytes)])
  await part.publish()
}

async function isDirectory(
  window: FileWindow,
  at: number,
  expected: Iterable<Buffer>,
): Promise<boolean> {
  let position = at
  for (const chunk of expected) {
    if (!(await window.bytes(position, chunk.length)).equals(chunk)) return false
    position += chunk.length
  }
  return position === window.end
}

/**
 * A file for the archive that replaces `path`. Its name is always the same, so that the next salvage
 * removes what a killed one has left.
 */
function createArchive(path: string, finalPath: string): PartFile {
  const temporary = join(dirname(path), `.salvage-${nameHash(basename(path))}.new`)
  // not overwritten: it may be published already, under both names
  rmSync(temporary, { force: true })
  const fd = openSync(temporary, 'wx+', 0o600)
  return new PartFile(fd, temporary, finalPath)
}

/** Opens the file for writing, if it has not changed since the walk. */
function reopen(
  { path, found }: Pick<Walked, 'path' | 'found'>,
  { finalPath }: SalvageOptions,
): OpenPart {
  const fd = openRegularFile(path, constants.O_RDWR, 'salvage')
  const now = fstatSync(fd)
  const keys = ['dev', 'ino', 'nlink', 'size', 'mtimeMs'] as const
  const unchanged = keys.every((key) => now[key] === found[key])
  if (unchanged) return new OpenPart(fd, path, finalPath)
  closeSync(fd)
  throw new IngestError(
    'CHANGED',
    path,
    `Cannot salvage \`${path}\`: another process writes to it (wait until it is done)`,
  )
}

/** A file that cannot be published stays, for the next try. */
class OpenPart extends PartFile {
  override async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function isSame(a: Stats, b: Stats | undefined): boolean {
  return a.ino === b?.ino && a.dev === b.dev
}

function taken(finalPath: string): IngestError {
  const message = `Cannot publish as \`${finalPath}\`: it exists (choose another name, nothing was changed)`
  return new IngestError('EXISTS', finalPath, message)
}
