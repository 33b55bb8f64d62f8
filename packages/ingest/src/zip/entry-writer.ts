import { promisify } from 'node:util'
import { crc32, deflateRaw, deflateRawSync } from 'node:zlib'
import { IngestError } from '../error.ts'
import type { ArchiveOutput } from './sink.ts'
import { DEFLATE, SEE_ZIP64, STORED, type EntryRecord } from './fields.ts'
import { dataDescriptor, localHeader } from './headers.ts'

const deflate = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw)
// below this the thread pool costs more than it gives
const MAX_SYNC_BYTES = 64 * 1024
// the first deflate of a process takes 0.8 ms, for which a crashed process may wait
const MIN_DEFLATED_BYTES = 1024
const DEFLATE_LEVEL = 6

/** An entry as the archive records it. */
export interface ZipEntry {
  readonly name: string
  /** Compression method; APPNOTE 4.4.5. */
  readonly method: number
  readonly crc32: number
  readonly bytes: number
  readonly compressedBytes: number
  /** Where its local header begins. */
  readonly offset: number
}

export interface ZipEntryOptions {
  /** Compression method of its bytes: 0 stored, 8 deflate, 93 zstd. @default 8 */
  readonly method?: 0 | 8 | 93
  /** @default that of the archive writer */
  readonly mtime?: Date
}

/** What the bytes of an entry expand to. */
export interface PlainSize {
  readonly bytes: number
  readonly crc32: number
}

/** An open entry: takes compressed bytes, and at the end the length and CRC of what they expand to. */
export class ZipEntryWriter {
  readonly name: string
  readonly #output: ArchiveOutput
  readonly #record: EntryRecord
  readonly #closed: (record: EntryRecord | undefined) => void
  readonly #dataOffset: number
  #open = true

  /** Internal: use `ZipWriter.entry`. */
  constructor(
    name: string,
    output: ArchiveOutput,
    record: EntryRecord,
    closed: (record: EntryRecord | undefined) => void,
  ) {
    this.name = name
    this.#output = output
    this.#record = record
    this.#closed = closed
    this.#dataOffset = output.position
  }

  /** Position in the archive of the next byte. */
  get position(): number {
    return this.#output.position
  }

  /** Compressed bytes written so far. */
  get compressedBytes(): number {
    return this.#output.position - this.#dataOffset
  }

  /**
   * Appends compressed bytes; their memory can be reused once this returns or resolves. `onPool`: by
   * `writeOnPool` of the sink, if it has that.
   */
  write(
    chunks: readonly Uint8Array[],
    { onPool = false }: { readonly onPool?: boolean } = {},
  ): void | Promise<void> {
    this.#assertOpen('write')
    return this.#output.write(chunks, this.name, onPool)
  }

  /** Discards all but its first `compressedBytes`; after a failed write it can continue there. */
  async truncate(compressedBytes: number): Promise<void> {
    this.#assertOpen('truncate')
    await this.#output.truncate(this.#dataOffset + compressedBytes, this.name)
  }

  /** Ends the entry; `plain` is length and CRC-32 of what its bytes expand to. */
  async finish(plain: PlainSize): Promise<ZipEntry> {
    this.#assertOpen('finish')
    const record = this.#record
    record.bytes = plain.bytes
    record.crc32 = plain.crc32
    record.compressedBytes = this.compressedBytes
    if (record.descriptor) await this.#output.write([dataDescriptor(record)], this.name)
    else await this.#output.patch(localHeader(record), record.offset, this.name)
    this.#open = false
    this.#closed(record)
    return zipEntry(this.name, record)
  }

  /**
   * Removes the entry and everything written of it, so that the archive can continue without it.
   * Throws when the sink cannot be truncated: the archive is lost then.
   */
  async abandon(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#output.truncate(this.#record.offset, this.name)
    this.#closed(undefined)
  }

  #assertOpen(verb: string): void {
    if (this.#open) return
    throw new IngestError(
      'MISUSE',
      this.name,
      `Cannot ${verb} entry \`${this.name}\`: it has ended`,
    )
  }
}

export function zipEntry(name: string, record: EntryRecord): ZipEntry {
  const { method, bytes, compressedBytes, offset } = record
  return { name, method, crc32: record.crc32, bytes, compressedBytes, offset }
}

/** An entry whose bytes are in memory: its record, and its header and data to be written. */
interface SmallEntry {
  readonly record: EntryRecord
  readonly chunks: readonly Uint8Array[]
}

/** Deflates `data` where that makes it smaller. */
export async function smallEntry(
  data: Uint8Array | string,
  place: Pick<EntryRecord, 'name' | 'mtime' | 'mode' | 'offset'>,
): Promise<SmallEntry> {
  const plain = typeof data === 'string' ? Buffer.from(data) : data
  const deflated = await deflatedIfSmaller(plain)
  const record: EntryRecord = {
    ...place,
    method: deflated === undefined ? STORED : DEFLATE,
    zip64: plain.length >= SEE_ZIP64,
    descriptor: false,
    crc32: crc32(plain),
    bytes: plain.length,
    compressedBytes: (deflated ?? plain).length,
  }
  return { record, chunks: [localHeader(record), deflated ?? plain] }
}

async function deflatedIfSmaller(data: Uint8Array): Promise<Buffer | undefined> {
  if (data.length < MIN_DEFLATED_BYTES) return undefined
  const deflated =
    data.length <= MAX_SYNC_BYTES
      ? deflateRawSync(data, { level: DEFLATE_LEVEL })
      : await deflate(data, { level: DEFLATE_LEVEL })
  return deflated.length < data.length ? deflated : undefined
}
