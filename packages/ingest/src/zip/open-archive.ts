import type { EntryRecord } from './entry-record.ts'

/** An entry of an archive that is not ended yet, as JSON can hold it. */
export interface OpenArchiveEntry extends Omit<EntryRecord, 'name' | 'mtime'> {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly mtimeMs: number
}

/** What somebody else needs to end an archive at a place where its data is sound, should its writer die. */
export interface OpenArchive {
  /** Length of the archive so far. */
  readonly position: number
  /** Entries that are whole. */
  readonly entries: readonly OpenArchiveEntry[]
  /** The one that is not: CRC and sizes are those of its bytes so far. */
  readonly open?: OpenArchiveEntry
}

export function toOpenEntry({ name, mtime, ...rest }: EntryRecord): OpenArchiveEntry {
  return { name: name.toString(), mtimeMs: mtime.getTime(), ...rest }
}

export function fromOpenEntry({ name, mtimeMs, ...rest }: OpenArchiveEntry): EntryRecord {
  return { name: Buffer.from(name), mtime: new Date(mtimeMs), ...rest }
}
