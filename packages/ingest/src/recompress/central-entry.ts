import { parseEntryName } from '../zip/entry-name.ts'
import {
  DESCRIPTOR_FLAG,
  type EntryRecord,
  parseExtra,
  parseTime,
  SEE_ZIP64,
} from '../zip/fields.ts'
import { CENTRAL_HEADER_BYTES, centralHeader } from '../zip/headers.ts'

/** An entry as the central directory has it. */
export interface CentralEntry {
  readonly name: string
  readonly record: EntryRecord
  /** Of its header in the directory. */
  readonly headerBytes: number
}

/**
 * The header at `at` in a central directory; APPNOTE 4.3.12. Undefined unless it is, to the byte,
 * what this package writes: then nothing of it is lost when it is written again.
 */
export function centralEntryAt(directory: Buffer, at: number): CentralEntry | undefined {
  const fixed = directory.subarray(at, at + CENTRAL_HEADER_BYTES)
  if (fixed.length < CENTRAL_HEADER_BYTES) return undefined
  const nameEnd = CENTRAL_HEADER_BYTES + fixed.readUInt16LE(28)
  const raw = directory.subarray(at, at + nameEnd + fixed.readUInt16LE(30))
  const nameBytes = Buffer.from(raw.subarray(CENTRAL_HEADER_BYTES, nameEnd))
  const name = parseEntryName(nameBytes)
  const extra = parseExtra(raw.subarray(nameEnd))
  const wide = [...(extra.zip64?.values ?? [])]
  // only the fields that say so are in the Zip64 extra field, in this order; APPNOTE 4.5.3
  const [bytes, compressedBytes, offset] = [24, 20, 42].map((position) => {
    const value = fixed.readUInt32LE(position)
    return value === SEE_ZIP64 ? (wide.shift() ?? value) : value
  })
  const record: EntryRecord = {
    name: nameBytes,
    method: fixed.readUInt16LE(10),
    mtime: parseTime(fixed.readUInt32LE(12), extra),
    mode: fixed.readUInt16LE(40) & 0o7777,
    zip64: fixed.readUInt32LE(20) === SEE_ZIP64,
    descriptor: (fixed.readUInt16LE(8) & DESCRIPTOR_FLAG) !== 0,
    offset: offset ?? 0,
    crc32: fixed.readUInt32LE(16),
    bytes: bytes ?? 0,
    compressedBytes: compressedBytes ?? 0,
  }
  if (name === undefined || !centralHeader(record).equals(raw)) return undefined
  return { name, record, headerBytes: raw.length }
}
