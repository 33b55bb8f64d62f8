/**
 * Where the bytes of an archive go. With `patch` it is seekable: local headers are completed
 * in place and no data descriptor is needed; without it they follow the data of each entry.
 */
export interface ZipSink {
  /** Appends `chunks` in order; their memory is the caller's again once this returns or resolves. */
  write(chunks: readonly Uint8Array[]): void | Promise<void>
  /**
   * Overwrites bytes already written, at `position` counted from the first byte of the archive. A
   * sink may come to be seekable: then headers whose entry ends later are completed.
   */
  patch?: ((bytes: Uint8Array, position: number) => void | Promise<void>) | undefined
  /** Forgets everything after the first `length` bytes, so that a failed entry leaves no trace. */
  truncate?(length: number): void | Promise<void>
}
