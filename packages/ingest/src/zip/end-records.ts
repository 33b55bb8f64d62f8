import { SEE_ZIP64 } from './zip64-extra.ts'

/** Where the central directory lies and what it holds. */
export interface Directory {
  readonly entries: number
  readonly offset: number
  readonly bytes: number
}

/** The records that close an archive, with those of Zip64 when a number needs them; APPNOTE 4.3.14-16. */
export function endRecords(directory: Directory): Buffer {
  const { entries, offset, bytes } = directory
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Math.min(entries, 0xffff), 8)
  end.writeUInt16LE(Math.min(entries, 0xffff), 10)
  end.writeUInt32LE(Math.min(bytes, SEE_ZIP64), 12)
  end.writeUInt32LE(Math.min(offset, SEE_ZIP64), 16)
  const small = entries < 0xffff && offset < SEE_ZIP64 && bytes < SEE_ZIP64
  return small ? end : Buffer.concat([zip64End(directory), zip64Locator(offset + bytes), end])
}

function zip64End({ entries, offset, bytes }: Directory): Buffer {
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x06064b50, 0)
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
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(offsetOfEnd), 8)
  locator.writeUInt32LE(1, 16)
  return locator
}
