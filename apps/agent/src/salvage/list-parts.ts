import type { BigIntStats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { nameOfPartFile } from '@core-dump-handler/bundle'

/** The unfinished files of a directory: regular ones, no links, pipes and the like; oldest first. */
export async function listParts(directory: string): Promise<ReadonlyMap<string, BigIntStats>> {
  const found: [string, BigIntStats][] = []
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    // a name that is not UTF-8 is not a composer's, and cannot be opened by this one
    if (
      !entry.isFile() ||
      nameOfPartFile(entry.name) === undefined ||
      entry.name.includes('\uFFFD')
    )
      continue
    const stats = await lstat(join(directory, entry.name), { bigint: true }).catch(() => undefined)
    if (stats?.isFile()) found.push([entry.name, stats])
  }
  return new Map(found.toSorted(([, a], [, b]) => (a.mtimeNs < b.mtimeNs ? -1 : 1)))
}
