import { parseEntryName } from '../zip/entry-name.ts'
import {
  DEFLATE,
  type EntryRecord,
  parseExtra,
  parseTime,
  STORED,
  UTF8_FLAG,
  ZSTD,
} from '../zip/fields.ts'
import { LOCAL_HEADER_BYTES, parseLocalHeader } from '../zip/headers.ts'
import type { FileWindow } from './file-window.ts'

// of deflate: its level; APPNOTE 4.4.4
const LEVEL_FLAGS = 0x0006
const METHODS = [STORED, DEFLATE, ZSTD]
// a local header has no mode: that of the composer's entries
const MODE = 0o444

/** An entry as its local header describes it. */
export interface LocalEntry {
  readonly name: string
  readonly record: EntryRecord
  /** Where its data begins. */
  readonly dataAt: number
  /** CRC and sizes are recorded: its writer had ended it. */
  readonly ended: boolean
  /** Where the two Zip64 sizes are. */
  readonly zip64At: number | undefined
}

/** The entry that begins at `position`, if there is one; APPNOTE 4.3.7. */
export async function localEntryAt(
  window: FileWindow,
  position: number,
): Promise<LocalEntry | undefined> {
  const header = parseLocalHeader(await window.bytes(position, LOCAL_HEADER_BYTES))
  if (header === undefined) return undefined
  const { flags, method, nameLength, extraLength } = header
  const extraAt = position + LOCAL_HEADER_BYTES + nameLength
  const dataAt = extraAt + extraLength
  const isKnown = (flags & ~(UTF8_FLAG | LEVEL_FLAGS)) === 0 && METHODS.includes(method)
  if (!isKnown || dataAt > window.end) return undefined

  const name = parseEntryName(await window.bytes(position + LOCAL_HEADER_BYTES, nameLength))
  if (name === undefined) return undefined
  const extra = parseExtra(await window.bytes(extraAt, extraLength))
  const { values: [wideBytes, wideCompressedBytes] = [], at = 0 } = extra.zip64 ?? {}
  const zip64 = wideBytes !== undefined && wideCompressedBytes !== undefined
  const { crc32 } = header
  const bytes = zip64 ? wideBytes : header.bytes
  const compressedBytes = zip64 ? wideCompressedBytes : header.compressedBytes
  return {
    name,
    dataAt,
    ended: crc32 > 0 || bytes > 0 || compressedBytes > 0 || (method === STORED && !zip64),
    zip64At: zip64 ? extraAt + at : undefined,
    record: {
      name: Buffer.from(name),
      method,
      mtime: parseTime(header.time, extra),
      mode: MODE,
      zip64,
      descriptor: false,
      offset: position,
      crc32,
      bytes,
      compressedBytes,
    },
  }
}
