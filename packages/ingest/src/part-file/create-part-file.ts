import { closeSync, fchmodSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { fromSystemError, IngestError } from '../error.ts'
import { PartFile } from './part-file.ts'
import { partPath } from './part-path.ts'

export interface PartFileOptions {
  /** Permission bits of the file, whatever the umask. @default 0o600 */
  readonly mode?: number
}

/**
 * Creates `<dir>/.<name>.part` for a file to be published as `finalPath`. Synchronous: it stands
 * between a crash and the first read. Throws `EXISTS` when either name is taken.
 */
export function createPartFile(
  finalPath: string,
  { mode = 0o600 }: PartFileOptions = {},
): PartFile {
  const path = partPath(finalPath)
  try {
    // wx: O_CREAT | O_EXCL, which follows no symbolic link either
    const fd = openSync(path, 'wx', mode)
    try {
      // not before it is ours: another writer of this name could publish in between
      assertAbsent(finalPath)
      fchmodSync(fd, mode)
    } catch (error) {
      unlinkSync(path)
      closeSync(fd)
      throw error
    }
    return new PartFile(fd, path, finalPath)
  } catch (cause) {
    throw fromSystemError('create', path, cause)
  }
}

function assertAbsent(finalPath: string): void {
  if (lstatSync(finalPath, { throwIfNoEntry: false }) === undefined) return
  throw new IngestError(
    'EXISTS',
    finalPath,
    `Cannot create \`${finalPath}\`: it exists (choose another name, nothing was overwritten)`,
  )
}
