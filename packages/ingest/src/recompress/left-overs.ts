import { createHash } from 'node:crypto'
import { readdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromSystemError } from '../error.ts'

const LEFT_OVER = /^\.recompress-[0-9a-f]{16}\.part$/

/** Where `path` is written anew: the same whenever it is asked for, and never taken for a bundle in the making. */
export function recompressPath(path: string): string {
  const hash = createHash('sha256').update(basename(path)).digest('hex').slice(0, 16)
  return join(dirname(path), `.recompress-${hash}.part`)
}

/**
 * Removes what `recompressZip` has left in `directory` where it was killed; tells how many files.
 * Only for who knows that none is at work there.
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
