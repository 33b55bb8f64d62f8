import { crc32 } from 'node:zlib'
import { IngestError } from '../error.ts'
import { ArchiveOutput } from './archive-output.ts'
import { centralHeader } from './central-header.ts'
import { endRecords } from './end-records.ts'
import { entryNameBytes } from './entry-name.ts'
import type { EntryRecord } from './entry-record.ts'
import { ZipEntryWriter, zipEntry, type ZipEntry, type ZipEntryOptions } from './entry-writer.ts'
import { localHeader } from './local-header.ts'
import { pack } from './pack.ts'
import type { ZipSink } from './sink.ts'
import { SEE_ZIP64 } from './zip64-extra.ts'

export interface ZipWriterOptions {
  /** Modification time of entries that give none. @default the time of construction */
  readonly mtime?: Date
  /** Permission bits of the entries. @default 0o444 */
  readonly mode?: number
}

export interface ZipAddOptions {
  /** @default that of the archive writer */
  readonly mtime?: Date
}

export interface ZipSummary {
  readonly entries: number
  /** Length of the whole archive. */
  readonly bytes: number
}

const DIRECTORY_CHUNK = 1024

/** Writes a ZIP archive (APPNOTE 6.3), Zip64 where needed, one entry after the other. */
export class ZipWriter {
  readonly #output: ArchiveOutput
  readonly #mtime: Date
  readonly #mode: number
  readonly #names = new Set<string>()
  readonly #records: EntryRecord[] = []
  #busyWith: string | undefined
  #finished = false

  constructor(sink: ZipSink, { mtime = new Date(), mode = 0o444 }: ZipWriterOptions = {}) {
    this.#output = new ArchiveOutput(sink)
    this.#mtime = mtime
    this.#mode = mode
  }

  /** Entries that are whole. */
  get entryCount(): number {
    return this.#records.length
  }

  /** Adds an entry whose bytes are at hand; compressed from 1 KiB on, when that makes it smaller. */
  async add(
    name: string,
    data: Uint8Array | string,
    { mtime = this.#mtime }: ZipAddOptions = {},
  ): Promise<ZipEntry> {
    const nameBytes = this.#claim(name)
    const plain = typeof data === 'string' ? Buffer.from(data) : data
    const { method, packed } = await pack(plain)
    const record = this.#record(nameBytes, method, mtime, {
      zip64: plain.length >= SEE_ZIP64,
      descriptor: false,
    })
    record.crc32 = crc32(plain)
    record.bytes = plain.length
    record.compressedBytes = packed.length
    try {
      await this.#output.write([localHeader(record), packed], name)
    } catch (error) {
      // best effort: the first failure is the one to tell
      await this.#output.truncate(record.offset, name).catch(() => {})
      this.#release(name, undefined)
      throw error
    }
    this.#release(name, record)
    return zipEntry(name, record)
  }

  /** Opens an entry whose compressed bytes come later; it must end before the next one begins. */
  async entry(
    name: string,
    { method = 8, mtime = this.#mtime }: ZipEntryOptions = {},
  ): Promise<ZipEntryWriter> {
    const nameBytes = this.#claim(name)
    const record = this.#record(nameBytes, method, mtime, {
      zip64: true,
      descriptor: !this.#output.seekable,
    })
    try {
      await this.#output.write([localHeader(record)], name)
    } catch (error) {
      await this.#output.truncate(record.offset, name).catch(() => {})
      this.#release(name, undefined)
      throw error
    }
    return new ZipEntryWriter(name, this.#output, record, (whole) => this.#release(name, whole))
  }

  /** Not called by users: an entry of another archive, its header and data (`chunks`) as they are there. */
  async copy(record: EntryRecord, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const name = record.name.toString()
    this.#claim(name)
    const offset = this.#output.position
    try {
      for await (const chunk of chunks) await this.#output.write([chunk], name)
    } catch (error) {
      await this.#output.truncate(offset, name).catch(() => {})
      this.#release(name, undefined)
      throw error
    }
    this.#release(name, { ...record, offset })
  }

  /** Writes the central directory: the archive is whole then; its sink stays open. */
  async finish(): Promise<ZipSummary> {
    this.#assertIdle('finish the archive', 'central directory')
    this.#finished = true
    const offset = this.#output.position
    for (let i = 0; i < this.#records.length; i += DIRECTORY_CHUNK) {
      const headers = this.#records.slice(i, i + DIRECTORY_CHUNK).map(centralHeader)
      await this.#output.write([Buffer.concat(headers)], 'central directory')
    }
    const entries = this.#records.length
    const end = endRecords({ entries, offset, bytes: this.#output.position - offset })
    await this.#output.write([end], 'central directory')
    return { entries, bytes: this.#output.position }
  }

  #claim(name: string): Buffer {
    const bytes = entryNameBytes(name)
    this.#assertIdle('begin an entry', name)
    if (this.#names.has(name)) {
      throw new IngestError('DUPLICATE_NAME', name, `The archive already has an entry \`${name}\``)
    }
    this.#names.add(name)
    this.#busyWith = name
    return bytes
  }

  #release(name: string, record: EntryRecord | undefined): void {
    this.#busyWith = undefined
    if (record === undefined) this.#names.delete(name)
    else this.#records.push(record)
  }

  #record(
    name: Buffer,
    method: number,
    mtime: Date,
    layout: Pick<EntryRecord, 'zip64' | 'descriptor'>,
  ): EntryRecord {
    const place = { offset: this.#output.position, crc32: 0, bytes: 0, compressedBytes: 0 }
    return { name, method, mtime, mode: this.#mode, ...layout, ...place }
  }

  #assertIdle(verb: string, subject: string): void {
    if (this.#finished) {
      throw new IngestError('MISUSE', subject, `Cannot ${verb} (\`${subject}\`): it is finished`)
    }
    if (this.#busyWith !== undefined) {
      throw new IngestError(
        'MISUSE',
        subject,
        `Cannot ${verb} (\`${subject}\`) while entry \`${this.#busyWith}\` is open`,
      )
    }
  }
}
