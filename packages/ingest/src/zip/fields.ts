import { IngestError } from '../error.ts'

/** What the headers of an entry are made from. */
export interface EntryRecord {
  readonly name: Buffer
  /** 0 stored, 8 deflate, 93 zstd; APPNOTE 4.4.5. */
  readonly method: number
  readonly mtime: Date
  /** Permission bits. */
  readonly mode: number
  /** Sizes are in Zip64 fields, whatever they are. */
  readonly zip64: boolean
  /** CRC and sizes follow the data, because the local header cannot be completed. */
  readonly descriptor: boolean
  /** Where its local header begins. */
  readonly offset: number
  crc32: number
  bytes: number
  compressedBytes: number
}

export const STORED = 0
export const DEFLATE = 8
export const ZSTD = 93
/** Value of a 32-bit field whose number is in the Zip64 extra field; APPNOTE 4.4.1.4. */
export const SEE_ZIP64 = 0xffffffff
const ZIP64 = 0x0001
const EXTENDED_TIMESTAMP = 0x5455
const MTIME_PRESENT = 1
export const UTF8_FLAG: number = 1 << 11
const DESCRIPTOR_FLAG: number = 1 << 3
const MAX_NAME_BYTES = 0xffff
// control characters, line and paragraph separators, and the marks that reorder displayed text
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

/** General purpose bit flag; APPNOTE 4.4.4. */
export function flagsOf({ name, descriptor }: EntryRecord): number {
  const ascii = name.every((byte) => byte < 0x80)
  return (descriptor ? DESCRIPTOR_FLAG : 0) | (ascii ? 0 : UTF8_FLAG)
}

/** Version needed to extract; APPNOTE 4.4.3. */
export function versionOf({ method, zip64 }: EntryRecord): number {
  if (method === ZSTD) return 63
  return zip64 ? 45 : 20
}

/** Date and time as in MS-DOS, in UTC: two-second steps from 1980 to 2107; APPNOTE 4.4.6. */
export function dosDateTime(time: Date): number {
  const year = time.getUTCFullYear()
  if (!(year >= 1980)) return ((1 << 21) | (1 << 16)) >>> 0
  if (year > 2107) return 0xff9fbf7d
  const date = ((year - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate()
  const clock =
    (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1)
  return ((date << 16) | clock) >>> 0
}

/** The modification time: to the second from the extra field, where there is one. */
export function parseTime(dos: number, { timestamp }: Pick<ExtraFields, 'timestamp'>): Date {
  if (timestamp !== undefined) return timestamp
  const [year, month, day] = [1980 + (dos >>> 25), ((dos >>> 21) & 15) - 1, (dos >>> 16) & 31]
  return new Date(Date.UTC(year, month, day, (dos >>> 11) & 31, (dos >>> 5) & 63, (dos & 31) * 2))
}

/** The extra field with the time in seconds since 1970, UTC; empty where 32 bits do not hold it. */
export function timestampExtra(time: Date): Buffer {
  const seconds = Math.floor(time.getTime() / 1000)
  if (!(Math.abs(seconds) <= 0x7fffffff)) return Buffer.alloc(0)
  const extra = Buffer.alloc(9)
  extra.writeUInt16LE(EXTENDED_TIMESTAMP, 0)
  extra.writeUInt16LE(5, 2)
  extra.writeUInt8(MTIME_PRESENT, 4)
  extra.writeInt32LE(seconds, 5)
  return extra
}

/** The Zip64 extra field holding `values`, 8 bytes each; APPNOTE 4.5.3. */
export function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length)
  extra.writeUInt16LE(ZIP64, 0)
  extra.writeUInt16LE(8 * values.length, 2)
  for (const [i, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
  return extra
}

/** The extra fields of a header that this package writes. */
interface ExtraFields {
  /** The values of the Zip64 field, and where they begin in the extra fields. */
  readonly zip64?: { readonly values: readonly number[]; readonly at: number }
  readonly timestamp?: Date
}

/** Reads the extra fields of a header, all fields of other programs left out; APPNOTE 4.5.1. */
export function parseExtra(extra: Buffer): ExtraFields {
  let zip64: ExtraFields['zip64']
  let timestamp: Date | undefined
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    const data = extra.subarray(at + 4, end)
    const id = extra.readUInt16LE(at)
    if (id === ZIP64) zip64 = { values: numbersIn(data), at: at + 4 }
    else if (id === EXTENDED_TIMESTAMP && data.length === 5) {
      timestamp = new Date(data.readInt32LE(1) * 1000)
    }
    at = end
  }
  return { ...(zip64 && { zip64 }), ...(timestamp && { timestamp }) }
}

function numbersIn(data: Buffer): number[] {
  const count = data.length >> 3
  return Array.from({ length: count }, (_, i) => Number(data.readBigUInt64LE(8 * i)))
}

/** The bytes of an entry name that every reader extracts below its own directory; APPNOTE 4.4.17. */
export function entryNameBytes(name: string): Buffer {
  const fault = faultOf(name)
  if (fault !== undefined) {
    throw new IngestError(
      'INVALID_NAME',
      name,
      `Cannot name an entry ${JSON.stringify(name)}: it ${fault}`,
    )
  }
  return Buffer.from(name, 'utf8')
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (!name.isWellFormed()) return 'is not well-formed Unicode'
  if (INVISIBLE.test(name)) return 'holds control characters'
  if (name.includes('\\')) return 'holds a backslash, which some readers take for a directory'
  if (/^[a-z]:/i.test(name)) return 'begins with a drive letter'
  for (const segment of name.split('/')) {
    if (segment === '') return 'is absolute or holds an empty directory name'
    if (segment === '.' || segment === '..') return `holds the directory name \`${segment}\``
  }
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`
  return undefined
}

/** The name in a header; undefined where `entryNameBytes` would not have written it. */
export function parseEntryName(bytes: Buffer): string | undefined {
  const name = bytes.toString()
  // bytes that are not UTF-8 become U+FFFD, which has other bytes
  return faultOf(name) === undefined && Buffer.from(name).equals(bytes) ? name : undefined
}
