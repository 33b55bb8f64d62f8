import { createHash } from 'node:crypto'
import { openSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { PartFile } from '../part-file/part-file.ts'

/**
 * A file for the archive that takes the place of `path`. Its name is the same whenever it is asked
 * for: what a salvage that was killed has left of it goes when the next one begins.
 */
export function newArchive(path: string, finalPath: string): PartFile {
  const hash = createHash('sha256').update(basename(path)).digest('hex').slice(0, 16)
  const temporary = join(dirname(path), `.salvage-${hash}.new`)
  // never written over: it may be published already, under both names
  rmSync(temporary, { force: true })
  const fd = openSync(temporary, 'wx+', 0o600)
  return new PartFile(fd, temporary, finalPath)
}
