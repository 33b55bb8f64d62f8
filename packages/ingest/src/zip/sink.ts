import type { Writable } from 'node:stream'

/**
 * Where the bytes of an archive go. With `patch` it is seekable: local headers are completed
 * in place and no data descriptor is needed; without it, descriptors follow the data of each entry.
 */
export interface ZipSink {
  /** Appends `chunks` in order; their memory is reused or freed once this returns or resolves. */
  write(chunks: readonly Uint8Array[]): void | Promise<void>
  /**
   * The same on another thread, so that timers and signals work while a disk hangs; a drain uses it
   * for cores that are not small, for one write at a time.
   */
  writeOnPool?(chunks: readonly Uint8Array[]): Promise<void>
  /** Overwrites bytes already written, at `position` counted from the first byte of the archive. */
  patch?(bytes: Uint8Array, position: number): void | Promise<void>
  /** Discards everything after the first `length` bytes: removes an entry that failed. */
  truncate?(length: number): void | Promise<void>
}

/** A sink that cannot seek: copies bytes into `writable` and waits for its back-pressure. */
export function streamSink(writable: Writable): ZipSink {
  let broken: Error | undefined
  // without a listener it would end the process; the pending or the next write reports it
  writable.on('error', (error) => {
    broken = error
  })
  return {
    write(chunks) {
      // a copy: a reader of a transform may use the chunks after their memory is reused
      const bytes = Buffer.concat(chunks)
      return new Promise<void>((resolve, reject) => {
        const settle = (error?: Error | null): void => {
          writable.off('close', closed)
          if (error) reject(broken ?? error)
          else resolve()
        }
        const closed = (): void => settle(new Error('the stream was closed'))
        writable.once('close', closed)
        writable.write(bytes, settle)
      })
    },
  }
}
