import type { ElfFacts } from '../elf/elf-meter.ts'
import type { ZipEntry } from '../zip/entry-writer.ts'

/** An entry saved from an archive whose writer died. */
export interface SavedEntry extends ZipEntry {
  /** Its writer had ended it, and its bytes have the recorded CRC; otherwise they are a beginning. */
  readonly whole: boolean
  /** What its ELF headers contain. */
  readonly elf: ElfFacts
}

/** What was saved, before the archive is closed. */
export interface SavedZip {
  /** In the order of the archive; only the last one can be without `whole`. */
  readonly entries: readonly SavedEntry[]
  /** Length of the file as it was found. */
  readonly foundBytes: number
  /** Bytes after those entries, which are not used. */
  readonly lostBytes: number
  /** The bytes of a small entry; `undefined` when there is none of that name, or it is above 1 MiB. */
  read(name: string): Promise<Buffer | undefined>
}

export interface SalvageOptions {
  /** The name of the completed archive; an existing file is never replaced. */
  readonly finalPath: string
  /** Nothing from here on is used, as where the space of the file was freed. @default all */
  readonly intactBytes?: number
  /** The archive is known to be complete: it only gets its final name, unread. @default false */
  readonly isComplete?: boolean
  /** Called with what was saved; returns entries to be added before the archive is closed. */
  readonly addEntries: (
    saved: SavedZip,
  ) => Iterable<SalvageAddition> | Promise<Iterable<SalvageAddition>>
  /** Awaited about once for each MiB, so that other work can run. */
  readonly onProgress?: (progress: { readonly bytes: number }) => void | Promise<void>
  /** Ends the work; the file can be salvaged again. */
  readonly signal?: AbortSignal
}

/** An entry to be added: its name and its bytes. */
export type SalvageAddition = readonly [name: string, data: Uint8Array | string]

export interface SalvagedZip {
  /**
   * - `whole`: only its final name was missing.
   * - `closed`: entries and directory were added to it.
   * - `replaced`: nothing of it could be used; an archive of the added entries has its final name,
   *   and the file is gone.
   * - `published`: it had its final name already; the unfinished name is gone.
   */
  readonly outcome: 'whole' | 'closed' | 'replaced' | 'published'
  /** The saved entries; empty where nothing was to be saved. */
  readonly entries: readonly SavedEntry[]
}
