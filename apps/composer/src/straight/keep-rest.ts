import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { PartFile } from '@core-dump-handler/ingest'

/**
 * Gives what the store does not have of an archive, on the disk, the name by which the agent finds
 * it: `.<name>.zip.rest`. It is no bundle, and hidden from whoever looks for those.
 */
export async function keepRest(part: PartFile): Promise<string> {
  const path = part.path.replace(/\.part$/, '.rest')
  const file = await open(part.path, 'r')
  await file.sync()
  await file.close()
  await rename(part.path, path)
  const directory = await open(dirname(path), 'r')
  await directory.sync()
  await directory.close()
  await part.close()
  return path
}
