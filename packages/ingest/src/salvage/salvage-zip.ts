import { closeSync, constants, fstatSync, lstatSync, type Stats } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { fromSystemError, IngestError } from '../error.ts'
import { notAFile, openRegularFile } from '../part-file/open-regular-file.ts'
import { close, publishUnread } from './close.ts'
import { FileWindow, paceOf } from './file-window.ts'
import type { SalvagedZip, SalvageOptions } from './options.ts'
import { walk } from './walk.ts'

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
    return await close({ path, found, window, walked: await walk(window) }, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw fromSystemError('salvage', path, error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function isSame(a: Stats, b: Stats | undefined): boolean {
  return a.ino === b?.ino && a.dev === b.dev
}

function taken(finalPath: string): IngestError {
  const message = `Cannot publish as \`${finalPath}\`: it exists (choose another name, nothing was changed)`
  return new IngestError('EXISTS', finalPath, message)
}
