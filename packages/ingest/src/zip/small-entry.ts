import { promisify } from 'node:util'
import { crc32, deflateRaw, deflateRawSync } from 'node:zlib'
import { DEFLATE, type EntryRecord, SEE_ZIP64, STORED } from './fields.ts'
import { localHeader } from './headers.ts'

const deflate = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw)

// below this the thread pool costs more than it gives
const MAX_SYNC_BYTES = 64 * 1024
// the first deflate of a process takes 0.8 ms, for which a crashed process may wait
const MIN_DEFLATED_BYTES = 1024
const LEVEL = 6

/** An entry whose bytes are in memory: its record, and its header and data to be written. */
export interface SmallEntry {
  readonly record: EntryRecord
  readonly chunks: readonly Uint8Array[]
}

/** Deflates `data` where that makes it smaller. */
export async function smallEntry(
  data: Uint8Array | string,
  place: Pick<EntryRecord, 'name' | 'mtime' | 'mode' | 'offset'>,
): Promise<SmallEntry> {
  const plain = typeof data === 'string' ? Buffer.from(data) : data
  const deflated = await deflatedIfSmaller(plain)
  const record: EntryRecord = {
    ...place,
    method: deflated === undefined ? STORED : DEFLATE,
    zip64: plain.length >= SEE_ZIP64,
    descriptor: false,
    crc32: crc32(plain),
    bytes: plain.length,
    compressedBytes: (deflated ?? plain).length,
  }
  return { record, chunks: [localHeader(record), deflated ?? plain] }
}

async function deflatedIfSmaller(data: Uint8Array): Promise<Buffer | undefined> {
  if (data.length < MIN_DEFLATED_BYTES) return undefined
  const deflated =
    data.length <= MAX_SYNC_BYTES
      ? deflateRawSync(data, { level: LEVEL })
      : await deflate(data, { level: LEVEL })
  return deflated.length < data.length ? deflated : undefined
}
