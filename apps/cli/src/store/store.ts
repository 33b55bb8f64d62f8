import type { Readable } from 'node:stream'

/** An object of a store. */
export interface StoredObject {
  /** Below the store's prefix, with `/` between its parts. */
  readonly key: string
  readonly bytes: number
  readonly modified: Date
  /** Of this content; a later read of another content fails. */
  readonly etag?: string
}

/** A bucket and prefix, or a directory, read only. Every method rejects with `CliError`. */
export interface Store {
  /** `s3://bucket/prefix/` or `file:///directory/`. */
  readonly url: string
  list(): AsyncIterable<StoredObject>
  /** Undefined when there is no such object. */
  find(key: string): Promise<StoredObject | undefined>
  /** The bytes from `start` on, exactly `length` of them. */
  read(object: StoredObject, start: number, length: number): Promise<Buffer>
  /** The same as a stream, for what does not fit into memory. */
  stream(object: StoredObject, start: number, length: number): Promise<Readable>
  close(): void
}
