import { readdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromSystemError } from '../error.ts'
import { nameHash } from '../part-file/create-part-file.ts'

const LEFT_OVER = /^\.recompress-[0-9a-f]{16}\.part$/

/** The unfinished name of the new archive; always the same for `path`, and not that of an unfinished bundle. */
export function recompressPath(path: string): string {
  return join(dirname(path), `.recompress-${nameHash(basename(path))}.part`)
}

/**
 * Removes what killed `recompressZip` calls have left in `directory`; returns the number of files.
 * The caller must know that none is running there.
 */
export async function removeRecompressLeftOvers(directory: string): Promise<number> {
  try {
    const names = (await readdir(directory)).filter((name) => LEFT_OVER.test(name))
    for (const name of names) await unlink(join(directory, name))
    return names.length
  } catch (cause) {
    throw fromSystemError('remove left-overs from', directory, cause)
  }
}
