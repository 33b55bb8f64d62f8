import { randomBytes } from 'node:crypto'
import { lstat, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { appendToKey } from '../key.ts'

const SUFFIX = '.upload-part'
const OURS = /^\..*-[0-9a-f]{16}\.upload-part$/s
const STALE_MS = 3_600_000

/** `/dir/.x-<random>.upload-part` for `/dir/x.zip`: hidden, beside the target, never longer than a name can be. */
export function newPart(target: string): string {
  const stem = basename(target).replace(/\.[^.]*$/, '')
  return join(dirname(target), appendToKey(`.${stem}${SUFFIX}`, randomBytes(8).toString('hex')))
}

/** Remove what killed runs have left; a part that was written to within the hour may be in use. */
export async function removeStaleParts(directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter((each) => OURS.test(each))) {
    const path = join(directory, name)
    const stats = await lstat(path).catch(() => undefined)
    if (stats && Date.now() - stats.mtimeMs > STALE_MS) await rm(path, { force: true })
  }
}
