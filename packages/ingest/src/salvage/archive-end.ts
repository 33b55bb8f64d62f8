import { crc32 } from 'node:zlib'
import type { PartFile } from '../part-file/part-file.ts'
import { centralHeader } from '../zip/central-header.ts'
import { endRecords } from '../zip/end-records.ts'
import { entryNameBytes } from '../zip/entry-name.ts'
import type { EntryRecord } from '../zip/entry-record.ts'
import { localHeader } from '../zip/local-header.ts'
import { pack } from '../zip/pack.ts'
import type { SalvageAddition } from './options.ts'

const MODE = 0o444
const DIRECTORY_CHUNK = 1024

/** Appends an entry. */
export async function append(
  part: Pick<PartFile, 'bytes' | 'write'>,
  [name, data]: SalvageAddition,
  mtime: Date,
): Promise<EntryRecord> {
  const plain = typeof data === 'string' ? Buffer.from(data) : data
  const { method, packed } = await pack(plain)
  const record: EntryRecord = {
    name: entryNameBytes(name),
    method,
    mtime,
    mode: MODE,
    zip64: false,
    descriptor: false,
    offset: part.bytes,
    crc32: crc32(plain),
    bytes: plain.length,
    compressedBytes: packed.length,
  }
  part.write([localHeader(record), packed])
  return record
}

/** The central directory and the end of an archive whose entries end at `offset`. */
export function directory(records: readonly EntryRecord[], offset: number): readonly Buffer[] {
  const chunks: Buffer[] = []
  for (let i = 0; i < records.length; i += DIRECTORY_CHUNK) {
    chunks.push(Buffer.concat(records.slice(i, i + DIRECTORY_CHUNK).map(centralHeader)))
  }
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return [...chunks, endRecords({ entries: records.length, offset, bytes })]
}
