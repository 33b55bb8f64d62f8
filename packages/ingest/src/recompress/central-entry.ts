import { centralHeader } from '../zip/central-header.ts'
import { entryNameBytes } from '../zip/entry-name.ts'
import type { EntryRecord } from '../zip/entry-record.ts'
import { SEE_ZIP64 } from '../zip/zip64-extra.ts'

const HEADER_BYTES = 46
const ZIP64 = 0x0001
const EXTENDED_TIMESTAMP = 0x5455
const DESCRIPTOR = 1 << 3

/** An entry as the central directory has it. */
export interface CentralEntry {
  readonly name: string
  readonly record: EntryRecord
  /** Of its header in the directory. */
  readonly headerBytes: number
}

/**
 * The header at `at` in a central directory; APPNOTE 4.3.12. `undefined` unless it is, to the byte,
 * what this package writes: then nothing of it is lost when it is written again.
 */
export function centralEntryAt(directory: Buffer, at: number): CentralEntry | undefined {
  const fixed = directory.subarray(at, at + HEADER_BYTES)
  if (fixed.length < HEADER_BYTES) return undefined
  const nameEnd = HEADER_BYTES + fixed.readUInt16LE(28)
  const raw = directory.subarray(at, at + nameEnd + fixed.readUInt16LE(30))
  const nameBytes = Buffer.from(raw.subarray(HEADER_BYTES, nameEnd))
  const name = nameBytes.toString()
  const extra = extraFields(raw.subarray(nameEnd))
  const [bytes, compressedBytes, offset] = sizesOf(fixed, extra.get(ZIP64))
  const record: EntryRecord = {
    name: nameBytes,
    method: fixed.readUInt16LE(10),
    mtime: timeOf(fixed.readUInt32LE(12), extra.get(EXTENDED_TIMESTAMP)),
    mode: fixed.readUInt16LE(40) & 0o7777,
    zip64: fixed.readUInt32LE(20) === SEE_ZIP64,
    descriptor: (fixed.readUInt16LE(8) & DESCRIPTOR) !== 0,
    offset,
    crc32: fixed.readUInt32LE(16),
    bytes,
    compressedBytes,
  }
  if (!isSafe(name, nameBytes) || !centralHeader(record).equals(raw)) return undefined
  return { name, record, headerBytes: raw.length }
}

function isSafe(name: string, bytes: Buffer): boolean {
  try {
    return entryNameBytes(name).equals(bytes)
  } catch {
    return false
  }
}

function extraFields(extra: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    fields.set(extra.readUInt16LE(at), extra.subarray(at + 4, end))
    at = end
  }
  return fields
}

/** Only the fields that say so are in the Zip64 extra field, in this order; APPNOTE 4.5.3. */
function sizesOf(
  fixed: Buffer,
  zip64: Buffer | undefined,
): [bytes: number, compressedBytes: number, offset: number] {
  let at = 0
  const field = (position: number): number => {
    const value = fixed.readUInt32LE(position)
    if (value !== SEE_ZIP64 || zip64 === undefined || at + 8 > zip64.length) return value
    at += 8
    return Number(zip64.readBigUInt64LE(at - 8))
  }
  const bytes = field(24)
  return [bytes, field(20), field(42)]
}

function timeOf(dos: number, timestamp: Buffer | undefined): Date {
  if (timestamp?.length === 5) return new Date(timestamp.readInt32LE(1) * 1000)
  const [year, month, day] = [1980 + (dos >>> 25), ((dos >>> 21) & 15) - 1, (dos >>> 16) & 31]
  return new Date(Date.UTC(year, month, day, (dos >>> 11) & 31, (dos >>> 5) & 63, (dos & 31) * 2))
}
