import { type EntryRecord, SEE_ZIP64 } from './fields.ts'
import { centralHeader } from './headers.ts'

const END = 0x06054b50
const ZIP64_END = 0x06064b50
const ZIP64_LOCATOR = 0x07064b50

const END_BYTES = 22
const ZIP64_END_BYTES = 56
const ZIP64_LOCATOR_BYTES = 20
/** All records that can follow a central directory. */
export const MAX_END_BYTES: number = END_BYTES + ZIP64_END_BYTES + ZIP64_LOCATOR_BYTES

const HEADERS_PER_CHUNK = 1024

/** Where the central directory lies and what it holds. */
export interface Directory {
  readonly entries: number
  readonly offset: number
  readonly bytes: number
}

/** The central directory of entries that end at `offset`, and the records that close the archive. */
export function* directoryChunks(
  records: readonly EntryRecord[],
  offset: number,
): Generator<Buffer, void, undefined> {
  let bytes = 0
  for (let i = 0; i < records.length; i += HEADERS_PER_CHUNK) {
    const chunk = Buffer.concat(records.slice(i, i + HEADERS_PER_CHUNK).map(centralHeader))
    bytes += chunk.length
    yield chunk
  }
  yield endRecords({ entries: records.length, offset, bytes })
}

/** The records that close an archive, with those of Zip64 when a number needs them; APPNOTE 4.3.14-16. */
export function endRecords(directory: Directory): Buffer {
  const { entries, offset, bytes } = directory
  const end = Buffer.alloc(END_BYTES)
  end.writeUInt32LE(END, 0)
  end.writeUInt16LE(Math.min(entries, 0xffff), 8)
  end.writeUInt16LE(Math.min(entries, 0xffff), 10)
  end.writeUInt32LE(Math.min(bytes, SEE_ZIP64), 12)
  end.writeUInt32LE(Math.min(offset, SEE_ZIP64), 16)
  const small = entries < 0xffff && offset < SEE_ZIP64 && bytes < SEE_ZIP64
  return small ? end : Buffer.concat([zip64End(directory), zip64Locator(offset + bytes), end])
}

/** What the records at the end of `tail`, the last bytes of an archive, contain. */
export function parseEndRecords(tail: Buffer): Directory | undefined {
  const end = tail.subarray(-END_BYTES)
  if (end.length < END_BYTES || end.readUInt32LE(0) !== END) return undefined
  const entries = end.readUInt16LE(10)
  const [bytes, offset] = [end.readUInt32LE(12), end.readUInt32LE(16)]
  if (entries < 0xffff && bytes < SEE_ZIP64 && offset < SEE_ZIP64) return { entries, offset, bytes }
  if (tail.length < MAX_END_BYTES) return undefined
  const zip64 = tail.subarray(-MAX_END_BYTES)
  const number = (at: number): number => Number(zip64.readBigUInt64LE(at))
  return { entries: number(32), bytes: number(40), offset: number(48) }
}

function zip64End({ entries, offset, bytes }: Directory): Buffer {
  const record = Buffer.alloc(ZIP64_END_BYTES)
  record.writeUInt32LE(ZIP64_END, 0)
  record.writeBigUInt64LE(BigInt(record.length - 12), 4)
  record.writeUInt16LE(45, 12)
  record.writeUInt16LE(45, 14)
  record.writeBigUInt64LE(BigInt(entries), 24)
  record.writeBigUInt64LE(BigInt(entries), 32)
  record.writeBigUInt64LE(BigInt(bytes), 40)
  record.writeBigUInt64LE(BigInt(offset), 48)
  return record
}

function zip64Locator(offsetOfEnd: number): Buffer {
  const locator = Buffer.alloc(ZIP64_LOCATOR_BYTES)
  locator.writeUInt32LE(ZIP64_LOCATOR, 0)
  locator.writeBigUInt64LE(BigInt(offsetOfEnd), 8)
  locator.writeUInt32LE(1, 16)
  return locator
}
