/** An entry as the archive records it. */
export interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly crc32: number
  readonly bytes: number
  readonly compressedBytes: number
  readonly offset: number
}

export interface ZipEntryOptions {
  readonly method?: number
  readonly mtime?: Date
}

export interface ZipEntryWriter {
  write(chunks: readonly Uint8Array[]): void | Promise<void>
  finish(plain: { bytes: number; crc32: number }): Promise<ZipEntry>
  abandon(): Promise<void>
}
