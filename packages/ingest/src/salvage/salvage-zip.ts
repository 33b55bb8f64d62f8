import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { fromSystemError, IngestError } from '../error.ts'
import { close } from './close.ts'
import { FileWindow } from './file-window.ts'
import type { SalvagedZip, SalvageOptions } from './options.ts'
import { paceOf } from './pace.ts'
import { walk } from './walk.ts'

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants

/**
 * Makes a valid archive of what a `ZipWriter` that was killed has left in the file `path`, in place
 * and in bounded memory: the entry it was at is ended where its data is sound, and a directory is
 * made from the local headers. The caller must know that the writer is dead.
 * Throws an `IngestError`: `NOT_A_FILE`; `CHANGED` when somebody else writes to it; `EXISTS` when
 * `finalPath` is taken; `NO_SPACE` and the like. Then it can be tried again.
 */
export async function salvageZip(path: string, options: SalvageOptions): Promise<SalvagedZip> {
  let fd: number | undefined
  try {
    // no link is followed, and no pipe waited for
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const found = fstatSync(fd)
    if (!found.isFile()) throw notAFile(path, 'it is no regular file')
    const final = lstatSync(options.finalPath, { throwIfNoEntry: false })
    if (isSame(found, final)) {
      // its writer died between the two steps of publishing: link(2), then unlink(2)
      await unlink(path)
      return { outcome: 'published', entries: [] }
    }
    if (final !== undefined) throw taken(options.finalPath)
    if (found.nlink > 1) throw notAFile(path, 'it has another name, where it would change too')
    const window = new FileWindow(fd, 0, found.size, paceOf(options))
    return await close({ path, found, window, walked: await walk(window) }, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    if (isLink(error)) throw notAFile(path, 'it is a symbolic link')
    throw fromSystemError('salvage', path, error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function isSame(a: Stats, b: Stats | undefined): boolean {
  return a.ino === b?.ino && a.dev === b.dev
}

// what O_NOFOLLOW answers, open(2)
function isLink(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ELOOP'
}

function taken(finalPath: string): IngestError {
  const message = `Cannot publish as \`${finalPath}\`: it exists (choose another name, nothing was changed)`
  return new IngestError('EXISTS', finalPath, message)
}

function notAFile(path: string, why: string): IngestError {
  return new IngestError('NOT_A_FILE', path, `Cannot salvage \`${path}\`: ${why}`)
}
