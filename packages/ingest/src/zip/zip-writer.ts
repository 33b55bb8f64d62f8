import { IngestError } from '../error.ts'
import { ArchiveOutput, type ZipSink } from './sink.ts'
import { directoryChunks, localHeader } from './headers.ts'
import { entryNameBytes, type EntryRecord } from './fields.ts'
import {
  ZipEntryWriter,
  zipEntry,
  smallEntry,
  type ZipEntry,
  type ZipEntryOptions,
} from './entry-writer.ts'

export interface ZipWriterOptions {
  /** Modification time of entries that have none of their own. @default the time of construction */
  readonly mtime?: Date
  /** Permission bits of the entries. @default 0o444 */
  readonly mode?: number
  /**
   * Writes by `writeOnPool` of the sink, so that a disk that hangs stops no timer; a drain decides
   * for itself. @default false
   */
  readonly onPool?: boolean
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

/** Writes a ZIP archive (APPNOTE 6.3), Zip64 where needed, one entry after the other. */
export class ZipWriter {
  readonly #output: ArchiveOutput
  readonly #mtime: Date
  readonly #mode: number
  readonly #onPool: boolean
  readonly #names = new Set<string>()
  readonly #records: EntryRecord[] = []
  #openEntry: string | undefined
  #finished = false

  constructor(
    sink: ZipSink,
    { mtime = new Date(), mode = 0o444, onPool = false }: ZipWriterOptions = {},
  ) {
    this.#output = new ArchiveOutput(sink)
    this.#mtime = mtime
    this.#mode = mode
    this.#onPool = onPool
  }

  /** Entries that are complete. */
  get entryCount(): number {
    return this.#records.length
  }

  /** Adds an entry whose bytes are in memory; deflated from 1 KiB on, where that makes it smaller. */
  async add(
    name: string,
    data: Uint8Array | string,
    { mtime = this.#mtime }: ZipAddOptions = {},
  ): Promise<ZipEntry> {
    const nameBytes = this.#reserve(name)
    const offset = this.#output.position
    const { record, chunks } = await smallEntry(data, {
      name: nameBytes,
      mtime,
      mode: this.#mode,
      offset,
    })
    await this.#orRemove(name, async () => this.#output.write(chunks, name, this.#onPool))
    this.#close(name, record)
    return zipEntry(name, record)
  }

  /** Opens an entry whose compressed bytes come later; it must end before the next one begins. */
  async entry(
    name: string,
    { method = 8, mtime = this.#mtime }: ZipEntryOptions = {},
  ): Promise<ZipEntryWriter> {
    const record: EntryRecord = {
      name: this.#reserve(name),
      method,
      mtime,
      mode: this.#mode,
      zip64: true,
      descriptor: !this.#output.seekable,
      offset: this.#output.position,
      crc32: 0,
      bytes: 0,
      compressedBytes: 0,
    }
    await this.#orRemove(name, async () =>
      this.#output.write([localHeader(record)], name, this.#onPool),
    )
    return new ZipEntryWriter(name, this.#output, record, (complete) => this.#close(name, complete))
  }

  /** Writes the central directory, which completes the archive; the sink stays open. */
  async finish(): Promise<ZipSummary> {
    this.#assertIdle('finish the archive', 'central directory')
    this.#finished = true
    for (const chunk of directoryChunks(this.#records, this.#output.position)) {
      await this.#output.write([chunk], 'central directory', this.#onPool)
    }
    return { entries: this.#records.length, bytes: this.#output.position }
  }

  #reserve(name: string): Buffer {
    const bytes = entryNameBytes(name)
    this.#assertIdle('begin an entry', name)
    if (this.#names.has(name)) {
      throw new IngestError('DUPLICATE_NAME', name, `The archive already has an entry \`${name}\``)
    }
    this.#names.add(name)
    this.#openEntry = name
    return bytes
  }

  /** Removes what was written of the entry when `write` fails. */
  async #orRemove(name: string, write: () => Promise<void>): Promise<void> {
    const offset = this.#output.position
    try {
      await write()
    } catch (error) {
      // best effort: the first failure is the one to report
      await this.#output.truncate(offset, name).catch(() => {})
      this.#close(name, undefined)
      throw error
    }
  }

  #close(name: string, record: EntryRecord | undefined): void {
    this.#openEntry = undefined
    if (record === undefined) this.#names.delete(name)
    else this.#records.push(record)
  }

  #assertIdle(verb: string, subject: string): void {
    if (this.#finished) {
      throw new IngestError('MISUSE', subject, `Cannot ${verb} (\`${subject}\`): it is finished`)
    }
    if (this.#openEntry !== undefined) {
      throw new IngestError(
        'MISUSE',
        subject,
        `Cannot ${verb} (\`${subject}\`) while entry \`${this.#openEntry}\` is open`,
      )
    }
  }
}
