import type { FileHandle } from 'node:fs/promises'
import { throwIfAborted } from '../abortable.ts'
import type { FileSource } from '../file-source.ts'

export const BLOCK_BYTES: number = 1024 * 1024

/** Memory to read a file by: no more than it has, tens of thousands may come in a row. */
export function blockFor({ size }: FileSource): Buffer {
  return Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, size))
}

/** Whether two files are equal, byte for byte. */
export async function sameContent(
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
