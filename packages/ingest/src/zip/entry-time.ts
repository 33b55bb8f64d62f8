const EXTENDED_TIMESTAMP = 0x5455
const MTIME_PRESENT = 1

/** Date and time as MS-DOS counts them, in UTC: two-second steps from 1980 to 2107; APPNOTE 4.4.6. */
export function dosDateTime(time: Date): number {
  const year = time.getUTCFullYear()
  if (!(year >= 1980)) return ((1 << 21) | (1 << 16)) >>> 0
  if (year > 2107) return 0xff9fbf7d
  const date = ((year - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate()
  const clock =
    (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1)
  return ((date << 16) | clock) >>> 0
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
