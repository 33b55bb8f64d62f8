import { dosDateTime, timestampExtra } from './entry-time.ts'
import { flagsOf, versionOf, type EntryRecord } from './entry-record.ts'
import { SEE_ZIP64, zip64Extra } from './zip64-extra.ts'

const MADE_BY_UNIX = 3 << 8
const SPECIFICATION = 63
const REGULAR_FILE = 0o100000

/** The entry's header in the central directory; APPNOTE 4.3.12. */
export function centralHeader(entry: EntryRecord): Buffer {
  const { name, zip64, bytes, compressedBytes, offset } = entry
  const far = offset >= SEE_ZIP64
  const large = [...(zip64 ? [bytes, compressedBytes] : []), ...(far ? [offset] : [])]
  const extra = Buffer.concat([
    large.length > 0 ? zip64Extra(large) : Buffer.alloc(0),
    timestampExtra(entry.mtime),
  ])
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x02014b50, 0)
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
