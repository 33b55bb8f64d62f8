import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromFileError } from '../file-error.ts'
import { appendToKey } from '../key.ts'

const SUFFIX = '.upload-part'
const OURS = /^\..*-[0-9a-f]{16}\.upload-part$/s
const STALE_MS = 3_600_000
const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** `/dir/.x-<random>.upload-part` for `/dir/x.zip`: hidden, beside the target, never longer than a name can be. */
export function newPart(target: string): string {
  const stem = basename(target).replace(/\.[^.]*$/, '')
  return join(dirname(target), appendToKey(`.${stem}${SUFFIX}`, randomBytes(8).toString('hex')))
}

/** Create `part`, fill it and sync it to the disk; on any failure no unfinished file is left. */
export async function writePart(
  part: string,
  fill: (target: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    await using target = await open(part, FLAGS, 0o600)
    await fill(target)
    await target.sync()
  } catch (cause) {
    await rm(part, { force: true }).catch(() => {})
    throw fromFileError('target', 'write', part, cause)
  }
}

/** Write all of `bytes`: `write(2)` may take fewer than it was given. */
export async function writeFully(
  target: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await target.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/** Remove what killed runs have left; a part that was written to within the hour may be in use. */
export async function removeStaleParts(directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter((each) => OURS.test(each))) {
    const path = join(directory, name)
    const stats = await lstat(path).catch(() => undefined)
    if (stats && Date.now() - stats.mtimeMs > STALE_MS) await rm(path, { force: true })
  }
}
