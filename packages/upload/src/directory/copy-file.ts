import type { FileHandle } from 'node:fs/promises'
import { throwIfAborted } from '../abortable.ts'
import type { Progress } from '../destination.ts'
import { UploadError } from '../error.ts'
import type { FileSource } from '../file-source.ts'
import { show } from '../text.ts'
import { writeFully, writePart } from './part-file.ts'

export const BLOCK_BYTES: number = 1024 * 1024

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** Copy a file to `part` and compare the two, byte for byte. */
export async function copyFile(
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
    if (!(await hasSameContent(source, target, signal))) {
      throw new UploadError(
        'MISMATCH',
        `The copy of ${show(source.path)} reads back differently: check the disk; it is copied again`,
        { subject: part },
      )
    }
  })
}

/** Memory to read a file by: no more than the file has, tens of thousands may come in a row. */
export function blockFor({ size }: FileSource): Buffer {
  return Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, size))
}

/** Whether two files are equal, byte for byte. */
export async function hasSameContent(
  source: FileSource,
  other: FileHandle,
  signal?: AbortSignal,
): Promise<boolean> {
  const stats = await other.stat()
  if (!stats.isFile() || stats.size !== source.size) return false
  const ours = blockFor(source)
  const theirs = blockFor(source)
  for (let at = 0; at < source.size;) {
    throwIfAborted(signal)
    const block = await source.read(ours, Math.min(BLOCK_BYTES, source.size - at), at)
    for (let done = 0; done < block.length;) {
      const { bytesRead } = await other.read(theirs, done, block.length - done, at + done)
      if (bytesRead === 0) return false
      done += bytesRead
    }
    if (!block.equals(theirs.subarray(0, block.length))) return false
    at += block.length
  }
  return true
}
