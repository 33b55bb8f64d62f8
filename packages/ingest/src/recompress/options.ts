/** An entry before and after it was compressed anew; its bytes are the same. */
export interface RecompressedEntry {
  readonly name: string
  /** Expanded. */
  readonly bytes: number
  readonly crc32: number
  /** What it took in the archive. */
  readonly fromBytes: number
  /** What it takes now. */
  readonly storedBytes: number
}

export interface RecompressOptions {
  /** The entry to be compressed anew; all others are copied byte for byte. */
  readonly entryName: string
  /** 1 to 9; 3 takes a fifth more time than 1 and leaves a twentieth less. @default 3 */
  readonly level?: number
  /** Compressors at once, see `DrainOptions.lanes`. @default 2 */
  readonly lanes?: number
  /** What must be saved of the archive's size for it to be replaced, 0 to 1. @default 0.05 */
  readonly minSaving?: number
  /** Free space that is left to others on the file system, in bytes. @default 0 */
  readonly minFreeBytes?: number
  /**
   * The archive, open for reading, as by whoever holds a lock on it: `path` must be that file. It
   * stays open. @default opened by `path`
   */
  readonly fd?: number
  /** New content of small entries behind the one that is compressed, by name; up to 1 MiB each. */
  readonly rewrite?: Readonly<Record<string, RewriteEntry>>
  /** Ends the work; the archive stays as it was. */
  readonly signal?: AbortSignal
}

/** Makes the new content of an entry from what it was. */
export type RewriteEntry = (data: Buffer, entry: RecompressedEntry) => Uint8Array | string

/** What became of an archive. */
export type RecompressedZip =
  | {
      readonly outcome: 'replaced'
      /** Length of the archive before and after. */
      readonly fromBytes: number
      readonly bytes: number
      readonly entry: RecompressedEntry
    }
  /** Less than `minSaving` could be saved: it is as it was. */
  | { readonly outcome: 'kept'; readonly fromBytes: number }
