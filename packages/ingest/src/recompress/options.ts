/** An entry before and after it was recompressed; its bytes are the same. */
export interface RecompressedEntry {
  readonly name: string
  /** Expanded. */
  readonly bytes: number
  readonly crc32: number
  /** Its size in the archive before. */
  readonly fromBytes: number
  /** Its size in the archive now. */
  readonly storedBytes: number
}

export interface RecompressOptions {
  /** The entry to be recompressed; all others are copied byte for byte. */
  readonly entryName: string
  /** 1 to 9; 3 takes 20 % more time than 1 for 5 % less size. @default 3 */
  readonly level?: number
  /** Compressors at once, see `DrainOptions.lanes`. @default 2 */
  readonly lanes?: number
  /** Share of the archive's size that must be saved for it to be replaced, 0 to 1. @default 0.05 */
  readonly minSaving?: number
  /** Free space left to other programs on the file system, in bytes. @default 0 */
  readonly minFreeBytes?: number
  /**
   * The archive, open for reading, where the caller holds a lock on it: `path` must be that file. It
   * stays open. @default opened by `path`
   */
  readonly fd?: number
  /** New content of small entries after the recompressed one, by name; up to 1 MiB each. */
  readonly rewrite?: Readonly<Record<string, RewriteEntry>>
  /** Ends the work; the archive stays unchanged. */
  readonly signal?: AbortSignal
}

/** Makes the new content of an entry from the old one. */
export type RewriteEntry = (data: Buffer, entry: RecompressedEntry) => Uint8Array | string

/** The result of a recompression. */
export type RecompressedZip =
  | {
      readonly outcome: 'replaced'
      /** Length of the archive before and after. */
      readonly fromBytes: number
      readonly bytes: number
      readonly entry: RecompressedEntry
    }
  /** Less than `minSaving` could be saved: it is unchanged. */
  | { readonly outcome: 'kept'; readonly fromBytes: number }
