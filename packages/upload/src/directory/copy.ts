import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { throwIfAborted } from '../abortable.ts'
import type { Progress } from '../destination.ts'
import { fromFileError } from '../file-error.ts'
import { UploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { show } from '../text.ts'
import { BLOCK_BYTES, blockFor, sameContent } from './same-content.ts'

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Write `part` by `fill`, sync it to the disk; whatever goes wrong, no unfinished file is left. */
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

/** Copy a file to `part` and compare the two, byte for byte. */
export async function copyTo(
  part: string,
  source: FileSource,
  { signal, onProgress }: CopyOptions,
): Promise<void> {
  await writePart(part, async (target) => {
    const block = blockFor(source)
    for (let at = 0; at < source.size;) {
      throwIfAborted(signal)
      const bytes = await source.read(block, Math.min(BLOCK_BYTES, source.size - at), at)
      await writeFully(target, bytes, at)
      at += bytes.length
      onProgress?.({ bytes: at, totalBytes: source.size })
    }
    await source.assertUnchanged()
    if (!(await sameContent(source, target, signal))) {
      throw new UploadError(
        'MISMATCH',
        `The copy of ${show(source.path)} reads back differently: check the disk; it is copied again`,
        { subject: part },
      )
    }
  })
}

/** `write(2)` may take less than it was given. */
export async function writeFully(
  target: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await target.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}
