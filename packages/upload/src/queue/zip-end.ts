import type { FileHandle } from 'node:fs/promises'

/** End of central directory record without a comment, APPNOTE 4.3.16. */
const END_BYTES = 22
const SIGNATURE = 0x06054b50

/**
 * Whether a file ends as a finished zip does: what a writer in place adds last. A lock costs a process,
 * which for 20,000 waiting bundles is most of the work.
 */
export async function endsAsZip(handle: FileHandle, bytes: number): Promise<boolean> {
  if (bytes < END_BYTES) return false
  const end = Buffer.alloc(END_BYTES)
  const { bytesRead } = await handle.read(end, 0, END_BYTES, bytes - END_BYTES)
  return bytesRead === END_BYTES && end.readUInt32LE(0) === SIGNATURE && end.readUInt16LE(20) === 0
}
