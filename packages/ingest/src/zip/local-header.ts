import { dosDateTime, timestampExtra } from './entry-time.ts'
import { flagsOf, versionOf, type EntryRecord } from './entry-record.ts'
import { SEE_ZIP64, zip64Extra } from './zip64-extra.ts'

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
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
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

/** What follows the data of an entry on a stream; 8-byte sizes as its header is Zip64; APPNOTE 4.3.9. */
export function dataDescriptor({ crc32, bytes, compressedBytes }: EntryRecord): Buffer {
  const descriptor = Buffer.alloc(24)
  descriptor.writeUInt32LE(0x08074b50, 0)
  descriptor.writeUInt32LE(crc32, 4)
  descriptor.writeBigUInt64LE(BigInt(compressedBytes), 8)
  descriptor.writeBigUInt64LE(BigInt(bytes), 16)
  return descriptor
}
