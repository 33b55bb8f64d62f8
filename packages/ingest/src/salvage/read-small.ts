import { inflateRawSync } from 'node:zlib'
import type { FileWindow } from './file-window.ts'
import type { LocalEntry } from './local-entry.ts'

const MAX_BYTES = 1024 * 1024

/** The bytes of a small entry that is known to be whole. */
export async function readSmall(
  window: FileWindow,
  { record, dataAt }: LocalEntry,
): Promise<Buffer | undefined> {
  const { method, bytes, compressedBytes } = record
  if (Math.max(bytes, compressedBytes) > MAX_BYTES) return undefined
  const data = Buffer.from(await window.bytes(dataAt, compressedBytes))
  if (method === 0) return data
  return method === 8 ? inflateRawSync(data, { maxOutputLength: MAX_BYTES }) : undefined
}
