import { createHash } from 'node:crypto'
import { constants, openSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { PartFile } from '../part-file/part-file.ts'

const { O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants

/**
 * A file for the archive that takes the place of `path`. Its name is the same whenever it is asked
 * for: what a salvage that was killed has left of it is overwritten by the next one.
 */
export function newArchive(path: string, finalPath: string): PartFile {
  const hash = createHash('sha256').update(basename(path)).digest('hex').slice(0, 16)
  const temporary = join(dirname(path), `.salvage-${hash}.new`)
  const fd = openSync(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
  return new PartFile(fd, temporary, finalPath)
}
