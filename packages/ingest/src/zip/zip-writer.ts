import type { ZipEntry, ZipEntryOptions, ZipEntryWriter } from './entry-writer.ts'
import type { ZipSink } from './sink.ts'

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

/** Writes a ZIP archive (APPNOTE 6.3), Zip64 where needed, one entry after the other. */
export class ZipWriter {
  constructor(_sink: ZipSink, _options: ZipWriterOptions = {}) {}

  /** Entries finished so far. */
  get entries(): readonly ZipEntry[] {
    return []
  }

  /** Adds a small entry whose bytes are at hand; compressed when that makes it smaller. */
  add(_name: string, _data: Uint8Array | string, _options?: ZipAddOptions): Promise<ZipEntry> {
    throw new Error('not yet')
  }

  /** Opens an entry whose compressed bytes come later; it must end before the next one begins. */
  entry(_name: string, _options?: ZipEntryOptions): Promise<ZipEntryWriter> {
    throw new Error('not yet')
  }

  /** Writes the central directory; the archive is whole, its sink is not closed. */
  finish(): Promise<ZipSummary> {
    throw new Error('not yet')
  }
}
