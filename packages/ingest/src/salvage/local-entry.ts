import { isIngestError } from '../error.ts'
import { entryNameBytes } from '../zip/entry-name.ts'
import type { EntryRecord } from '../zip/entry-record.ts'
import { SEE_ZIP64 } from '../zip/zip64-extra.ts'
import type { FileWindow } from './file-window.ts'

const HEADER_BYTES = 30
const LOCAL_HEADER = 0x04034b50
const ZIP64 = 0x0001
const EXTENDED_TIMESTAMP = 0x5455
// of a stream that became a file in mid-entry: CRC and sizes are not in the header
const DESCRIPTOR = 0x0008
// language encoding, and the two bits in which deflate tells its level; APPNOTE 4.4.4
const KNOWN_FLAGS = 0x0800 | 0x0006 | DESCRIPTOR
const METHODS = [0, 8, 93]
// of ours, when no local header says otherwise
const MODE = 0o444

/** An entry as its local header describes it. */
export interface LocalEntry {
  readonly name: string
  readonly record: EntryRecord
  /** Where its data begins. */
  readonly dataAt: number
  /** CRC and sizes are noted: its writer had ended it. */
  readonly ended: boolean
  /** Where the two Zip64 sizes are. */
  readonly zip64At: number | undefined
  /** General purpose flags as they are to be. */
  readonly flags: number
}

/** The entry that begins at `position`, if one does; APPNOTE 4.3.7. */
export async function localEntryAt(
  window: FileWindow,
  position: number,
): Promise<LocalEntry | undefined> {
  const fixed = Buffer.from(await window.bytes(position, HEADER_BYTES))
  if (fixed.length < HEADER_BYTES || fixed.readUInt32LE(0) !== LOCAL_HEADER) return undefined
  const method = fixed.readUInt16LE(8)
  const nameBytes = fixed.readUInt16LE(26)
  const extraAt = position + HEADER_BYTES + nameBytes
  const dataAt = extraAt + fixed.readUInt16LE(28)
  const known = (fixed.readUInt16LE(6) & ~KNOWN_FLAGS) === 0 && METHODS.includes(method)
  if (!known || dataAt > window.end) return undefined

  const name = safeName(await window.bytes(position + HEADER_BYTES, nameBytes))
  if (name === undefined) return undefined
  const extra = extraFields(await window.bytes(extraAt, dataAt - extraAt))
  const found = extra.get(ZIP64)
  const zip64 = found !== undefined && found.data.length >= 16 ? found : undefined
  const sizes = sizesOf(fixed, zip64?.data)
  const ended = sizes.some((size) => size > 0) || (method === 0 && zip64 === undefined)
  return {
    name,
    dataAt,
    ended,
    flags: fixed.readUInt16LE(6) & ~DESCRIPTOR,
    zip64At: zip64 && extraAt + zip64.at,
    record: {
      name: Buffer.from(name),
      method,
      mtime: timeOf(fixed, extra.get(EXTENDED_TIMESTAMP)?.data),
      mode: MODE,
      zip64: zip64 !== undefined,
      descriptor: false,
      offset: position,
      crc32: sizes[0],
      bytes: sizes[1],
      compressedBytes: sizes[2],
    },
  }
}

/** What the writer notes in a local header when the entry ends: pieces and where they belong. */
export function headerPatches(entry: LocalEntry): readonly [Buffer, number][] {
  const { record, zip64At } = entry
  const { crc32, bytes, compressedBytes, offset } = record
  const flags = Buffer.alloc(2)
  flags.writeUInt16LE(entry.flags)
  const fixed = Buffer.alloc(12)
  fixed.writeUInt32LE(crc32, 0)
  fixed.writeUInt32LE(zip64At === undefined ? compressedBytes : SEE_ZIP64, 4)
  fixed.writeUInt32LE(zip64At === undefined ? bytes : SEE_ZIP64, 8)
  if (zip64At === undefined) {
    return [
      [flags, offset + 6],
      [fixed, offset + 14],
    ]
  }
  const sizes = Buffer.alloc(16)
  sizes.writeBigUInt64LE(BigInt(bytes), 0)
  sizes.writeBigUInt64LE(BigInt(compressedBytes), 8)
  // the CRC last: with it the entry counts as ended
  return [
    [sizes, zip64At],
    [flags, offset + 6],
    [fixed, offset + 14],
  ]
}

function safeName(bytes: Buffer): string | undefined {
  const name = bytes.toString()
  try {
    return entryNameBytes(name).equals(bytes) ? name : undefined
  } catch (error) {
    if (isIngestError(error)) return undefined
    throw error
  }
}

/** Extra fields by id; each with its bytes and where they begin. */
function extraFields(extra: Buffer): Map<number, { at: number; data: Buffer }> {
  const fields = new Map<number, { at: number; data: Buffer }>()
  for (let at = 0; at + 4 <= extra.length;) {
    const length = extra.readUInt16LE(at + 2)
    const data = Buffer.from(extra.subarray(at + 4, at + 4 + length))
    fields.set(extra.readUInt16LE(at), { at: at + 4, data })
    at += 4 + length
  }
  return fields
}

function sizesOf(
  fixed: Buffer,
  zip64: Buffer | undefined,
): [crc32: number, bytes: number, compressedBytes: number] {
  const crc32 = fixed.readUInt32LE(14)
  if (zip64 === undefined) return [crc32, fixed.readUInt32LE(22), fixed.readUInt32LE(18)]
  return [crc32, Number(zip64.readBigUInt64LE(0)), Number(zip64.readBigUInt64LE(8))]
}

function timeOf(fixed: Buffer, timestamp: Buffer | undefined): Date {
  if (timestamp?.length === 5) return new Date(timestamp.readInt32LE(1) * 1000)
  const [clock, date] = [fixed.readUInt16LE(10), fixed.readUInt16LE(12)]
  return new Date(
    Date.UTC(
      1980 + (date >> 9),
      ((date >> 5) & 15) - 1,
      date & 31,
      clock >> 11,
      (clock >> 5) & 63,
      (clock & 31) * 2,
    ),
  )
}
