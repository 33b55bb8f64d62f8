import type { ElfFacts } from '../elf/elf-facts.ts'
import type { ZipEntry } from '../zip/entry-writer.ts'

/** An entry of an archive whose writer died, as far as it could be saved. */
export interface SavedEntry extends ZipEntry {
  /** Its writer had ended it, and its bytes have the CRC that was noted; otherwise they are a beginning. */
  readonly whole: boolean
  /** What its first bytes say about themselves. */
  readonly elf: ElfFacts
}

/** What is there before the archive is closed. */
export interface SavedZip {
  /** In the order of the archive; only the last one can be without `whole`. */
  readonly entries: readonly SavedEntry[]
  /** Length of the file as it was found. */
  readonly foundBytes: number
  /** Bytes after those entries that tell nothing. */
  readonly lostBytes: number
  /** The bytes of a small entry; `undefined` when there is none of that name, or it is above 1 MiB. */
  read(name: string): Promise<Buffer | undefined>
}

export interface SalvageOptions {
  /** The name it gets once it is whole; an existing file is never replaced. */
  readonly finalPath: string
  /** Asked once what is saved is known: entries to be added before the archive is closed. */
  readonly addEntries: (
    saved: SavedZip,
  ) => Iterable<SalvageAddition> | Promise<Iterable<SalvageAddition>>
  /** Awaited about once for each MiB: to make room for others. */
  readonly onProgress?: (progress: { readonly bytes: number }) => void | Promise<void>
  /** Ends the work; the file can be salvaged again. */
  readonly signal?: AbortSignal
}

/** An entry to be added: its name and its bytes. */
export type SalvageAddition = readonly [name: string, data: Uint8Array | string]

export interface SalvagedZip {
  /**
   * - `whole`: nothing was missing but its final name, which it has now.
   * - `closed`: entries and directory were added to what was there.
   * - `replaced`: nothing of it could be used; an archive of the added entries has its final name,
   *   and the file is gone.
   * - `published`: it had its final name already; the unfinished one is gone.
   */
  readonly outcome: 'whole' | 'closed' | 'replaced' | 'published'
  /** Those saved; empty where there was nothing to do. */
  readonly entries: readonly SavedEntry[]
}
