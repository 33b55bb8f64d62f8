import {
  dosDateTime,
  flagsOf,
  SEE_ZIP64,
  timestampExtra,
  versionOf,
  zip64Extra,
  type EntryRecord,
} from './fields.ts'

const LOCAL_HEADER = 0x04034b50
const CENTRAL_HEADER = 0x02014b50
const END = 0x06054b50
const ZIP64_END = 0x06064b50
const ZIP64_LOCATOR = 0x07064b50
const DATA_DESCRIPTOR = 0x08074b50
const MADE_BY_UNIX = 3 << 8
const SPECIFICATION = 63
const REGULAR_FILE = 0o100000
/** Of a central header, without name and extra fields. */
const CENTRAL_HEADER_BYTES = 46
const END_BYTES = 22
const ZIP64_END_BYTES = 56
const ZIP64_LOCATOR_BYTES = 20
const HEADERS_PER_CHUNK = 1024
/** Of a local header, without name and extra fields. */
export const LOCAL_HEADER_BYTES = 30

/** The local file header; with a descriptor its CRC and sizes are zero; APPNOTE 4.3.7. */
export function localHeader(entry: EntryRecord): Buffer {
  const { name, zip64, descriptor } = entry
  const [crc32, bytes, compressed] = descriptor
    ? [0, 0, 0]
    : [entry.crc32, entry.bytes, entry.compressedBytes]
  // first, so that salvage finds it at a fixed place
  const extra = Buffer.concat([
    zip64 ? zip64Extra([bytes, compressed]) : Buffer.alloc(0),
    timestampExtra(entry.mtime),
  ])
  const header = Buffer.alloc(LOCAL_HEADER_BYTES)
  header.writeUInt32LE(LOCAL_HEADER, 0)
  header.writeUInt16LE(versionOf(entry), 4)
  header.writeUInt16LE(flagsOf(entry), 6)
  header.writeUInt16LE(entry.method, 8)
  header.writeUInt32LE(dosDateTime(entry.mtime), 10)
  header.writeUInt32LE(crc32, 14)
  header.writeUInt32LE(zip64 ? SEE_ZIP64 : compressed, 18)
  header.writeUInt32LE(zip64 ? SEE_ZIP64 : bytes, 22)
  header.writeUInt16LE(name.length, 26)
  header.writeUInt16LE(extra.length, 28)
  return Buffer.concat([header, name, extra])
}

/** The fields of a local header. */
interface LocalFields {
  readonly flags: number
  readonly method: number
  /** As in MS-DOS. */
  readonly time: number
  readonly crc32: number
  readonly compressedBytes: number
  readonly bytes: number
  readonly nameLength: number
  readonly extraLength: number
}

/** Reads a local header without name and extra fields; undefined where there is none. */
export function parseLocalHeader(header: Buffer): LocalFields | undefined {
  const isHeader = header.length >= LOCAL_HEADER_BYTES && header.readUInt32LE(0) === LOCAL_HEADER
  if (!isHeader) return undefined
  return {
    flags: header.readUInt16LE(6),
    method: header.readUInt16LE(8),
    time: header.readUInt32LE(10),
    crc32: header.readUInt32LE(14),
    compressedBytes: header.readUInt32LE(18),
    bytes: header.readUInt32LE(22),
    nameLength: header.readUInt16LE(26),
    extraLength: header.readUInt16LE(28),
  }
}

/**
 * CRC and sizes of an entry whose local header was written before they were known: bytes and where
 * they belong. `zip64At` is where the values of its Zip64 field begin.
 */
export function headerCompletion(
  { crc32, bytes, compressedBytes, offset }: EntryRecord,
  zip64At: number | undefined,
): readonly (readonly [bytes: Buffer, position: number])[] {
  const fixed = Buffer.alloc(12)
  fixed.writeUInt32LE(crc32, 0)
  fixed.writeUInt32LE(zip64At === undefined ? compressedBytes : SEE_ZIP64, 4)
  fixed.writeUInt32LE(zip64At === undefined ? bytes : SEE_ZIP64, 8)
  if (zip64At === undefined) return [[fixed, offset + 14]]
  const sizes = Buffer.alloc(16)
  sizes.writeBigUInt64LE(BigInt(bytes), 0)
  sizes.writeBigUInt64LE(BigInt(compressedBytes), 8)
  // the CRC last: with it the entry counts as ended
  return [
    [sizes, zip64At],
    [fixed, offset + 14],
  ]
}

/** Follows the data of an entry on a stream; 8-byte sizes, as its header is Zip64; APPNOTE 4.3.9. */
export function dataDescriptor({ crc32, bytes, compressedBytes }: EntryRecord): Buffer {
  const descriptor = Buffer.alloc(24)
  descriptor.writeUInt32LE(DATA_DESCRIPTOR, 0)
  descriptor.writeUInt32LE(crc32, 4)
  descriptor.writeBigUInt64LE(BigInt(compressedBytes), 8)
  descriptor.writeBigUInt64LE(BigInt(bytes), 16)
  return descriptor
}

/** The entry's header in the central directory; APPNOTE 4.3.12. */
function centralHeader(entry: EntryRecord): Buffer {
  const { name, zip64, bytes, compressedBytes, offset } = entry
  const far = offset >= SEE_ZIP64
  const large = [...(zip64 ? [bytes, compressedBytes] : []), ...(far ? [offset] : [])]
  const extra = Buffer.concat([
    large.length > 0 ? zip64Extra(large) : Buffer.alloc(0),
    timestampExtra(entry.mtime),
  ])
  const header = Buffer.alloc(CENTRAL_HEADER_BYTES)
  header.writeUInt32LE(CENTRAL_HEADER, 0)
  header.writeUInt16LE(MADE_BY_UNIX | SPECIFICATION, 4)
  header.writeUInt16LE(Math.max(versionOf(entry), far ? 45 : 0), 6)
  header.writeUInt16LE(flagsOf(entry), 8)
  header.writeUInt16LE(entry.method, 10)
  header.writeUInt32LE(dosDateTime(entry.mtime), 12)
  header.writeUInt32LE(entry.crc32, 16)
  header.writeUInt32LE(zip64 ? SEE_ZIP64 : compressedBytes, 20)
  header.writeUInt32LE(zip64 ? SEE_ZIP64 : bytes, 24)
  header.writeUInt16LE(name.length, 28)
  header.writeUInt16LE(extra.length, 30)
  header.writeUInt32LE(((REGULAR_FILE | entry.mode) << 16) >>> 0, 38)
  header.writeUInt32LE(far ? SEE_ZIP64 : offset, 42)
  return Buffer.concat([header, name, extra])
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

/** Where the central directory lies and what it holds. */
interface Directory {
  readonly entries: number
  readonly offset: number
  readonly bytes: number
}

/** The records that close an archive, with those of Zip64 when a number needs them; APPNOTE 4.3.14-16. */
function endRecords(directory: Directory): Buffer {
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
