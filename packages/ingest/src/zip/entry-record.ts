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
  descriptor: boolean
  /** Where its local header begins. */
  readonly offset: number
  crc32: number
  bytes: number
  compressedBytes: number
}

const UTF8 = 1 << 11
const DESCRIPTOR = 1 << 3

/** General purpose bit flag; APPNOTE 4.4.4. */
export function flagsOf({ name, descriptor }: EntryRecord): number {
  const ascii = name.every((byte) => byte < 0x80)
  return (descriptor ? DESCRIPTOR : 0) | (ascii ? 0 : UTF8)
}

/** Version needed to extract; APPNOTE 4.4.3. */
export function versionOf({ method, zip64 }: EntryRecord): number {
  if (method === 93) return 63
  return zip64 ? 45 : 20
}
