import type { ZipSink } from '../zip/sink.ts'

export interface PartFileOptions {
  /** Permission bits of the file. @default 0o600 */
  readonly mode?: number
}

/** A file being written under a name that nobody else touches, until it is published whole. */
export interface PartFile extends Required<ZipSink> {
  /** `<dir>/.<name>.part` while it is written. */
  readonly path: string
  /** The name it gets by `publish`. */
  readonly finalPath: string
  /** Bytes written. */
  readonly bytes: number
  /** fsync, rename to the final name (never over an existing file), fsync of the directory. */
  publish(): Promise<void>
  /** Closes and removes it; does nothing after `publish`, and nothing the second time. */
  discard(): Promise<void>
}

/** Creates `<dir>/.<name>.part`, exclusively; throws `EXISTS` when it or the final name is there. */
export function createPartFile(_finalPath: string, _options: PartFileOptions = {}): PartFile {
  throw new Error('not yet')
}
