import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { IngestError } from '../error.ts'
import { PartFile } from '../part-file/part-file.ts'
import type { EntryRecord } from '../zip/entry-record.ts'
import { append, directory } from './archive-end.ts'
import type { FileWindow } from './file-window.ts'
import { headerPatches } from './local-entry.ts'
import { newArchive } from './new-archive.ts'
import type { SalvageAddition, SalvagedZip, SalvageOptions } from './options.ts'
import { readSmall } from './read-small.ts'
import type { Walk } from './walk.ts'

/** A file that was walked through. */
export interface Walked {
  readonly path: string
  readonly found: Stats
  readonly window: FileWindow
  readonly walked: Walk
}

const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants

/** Adds what is missing and publishes it: in place, or anew where nothing can be used. */
export async function close(file: Walked, options: SalvageOptions): Promise<SalvagedZip> {
  const { path, window, walked } = file
  const { entries, end, closing } = walked
  const records = walked.locals.map(({ record }) => record)
  if (closing === undefined && (await isDirectory(window, end, directory(records, end)))) {
    await using part = reopen(file, options)
    await part.publish()
    return { outcome: 'whole', entries }
  }
  const additions = [...(await options.addEntries(savedZip(file)))]
  if (entries.length === 0) {
    await using archive = newArchive(path, options.finalPath)
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
    for (const [bytes, position] of headerPatches(last)) part.patch(bytes, position)
  }
  await finish(part, records, additions)
  return { outcome: 'closed', entries }
}

function savedZip({ found, window, walked: { entries, locals, end } }: Walked) {
  return {
    entries,
    foundBytes: found.size,
    lostBytes: found.size - end,
    read: async (name: string) => {
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
  for (const addition of additions) all.push(await append(part, addition, mtime))
  part.write(directory(all, part.bytes))
  await part.publish()
}

async function isDirectory(
  window: FileWindow,
  at: number,
  expected: readonly Buffer[],
): Promise<boolean> {
  let position = at
  for (const chunk of expected) {
    if (!(await window.bytes(position, chunk.length)).equals(chunk)) return false
    position += chunk.length
  }
  return position === window.end
}

/** For writing, if it is still what was walked through. */
function reopen({ path, found }: Walked, { finalPath }: SalvageOptions): OpenPart {
  const fd = openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  const now = fstatSync(fd)
  const keys = ['dev', 'ino', 'nlink', 'size', 'mtimeMs'] as const
  if (keys.every((key) => now[key] === found[key])) return new OpenPart(fd, path, finalPath)
  closeSync(fd)
  throw new IngestError(
    'CHANGED',
    path,
    `Cannot salvage \`${path}\`: somebody else writes to it (wait until its writer is done)`,
  )
}

/** What cannot be published stays, for the next try. */
class OpenPart extends PartFile {
  override async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
