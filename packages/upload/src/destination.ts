import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { S3Options } from './s3/options.ts'

/** Progress of a transfer, in bytes that the store has accepted. */
export interface Progress {
  readonly bytes: number
  /** Size of the whole; absent for a stream of unknown length. */
  readonly totalBytes?: number
}

/** Options of one {@link Destination.put}. */
export interface PutOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** An open handle of `file`, for instance one that holds a lock on it; it is used and left open. */
  readonly handle?: FileHandle
  /**
   * Appended to the key when another object already has it, for instance a bundle's uuid.
   * @default the first 12 hex digits of the content's SHA-256
   */
  readonly uniqueId?: string
  /**
   * Other writers store the same content under this very key: another content there rejects with `OCCUPIED`, and
   * uploads of the key that are in progress elsewhere are left alone.
   * @default false
   */
  readonly shared?: boolean
}

/** Options of one {@link Destination.putStream}. */
export interface PutStreamOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /**
   * The largest stream that is taken; sets the part size (at least `partBytes`), and so the memory.
   * @default 64 GiB
   */
  readonly maxBytes?: number
  /** Appended to the key when it is taken. @default a random UUID */
  readonly uniqueId?: string
}

/** An object whose size and content the destination has confirmed. */
export interface Stored {
  /** `s3://bucket/key` or `file:///path`, without credentials. */
  readonly url: string
  /** Key below the destination's prefix; differs from the wanted one when that was taken. */
  readonly key: string
  readonly bytes: number
  /** `existing`: identical content was there already and nothing was sent. */
  readonly outcome: 'stored' | 'existing'
  /** The wanted key, when another content had it. */
  readonly takenKey?: string
  /** Parts of a multipart upload; 0 otherwise. */
  readonly parts: number
  /** Parts kept from an earlier, interrupted upload. */
  readonly keptParts: number
  readonly etag?: string
}

/** A place for files; safe to use for several transfers at once. */
export interface Destination {
  /** Without credentials. */
  readonly url: string
  /**
   * Store `file` under `key` and resolve only once the destination has confirmed it.
   * Never overwrites another content. An interrupted upload is resumed by the next call
   * for the same file, also by another process. Rejects with `UploadError`.
   */
  put(file: string, key: string, options?: PutOptions): Promise<Stored>
  /** Store a stream of unknown length; nothing is visible under the key before the stream has ended without an error. */
  putStream(
    source: Readable | AsyncIterable<Uint8Array>,
    key: string,
    options?: PutStreamOptions,
  ): Promise<Stored>
  /** Resolves when the destination answers and accepts the credentials; rejects with `UploadError`. */
  check(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Give up an interrupted upload of a file that exists no more: free what the store keeps of it. */
  abandon(file: string, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Close idle connections; transfers in progress fail. */
  close(): Promise<void>
}

/** Options of `openDestination`. */
export interface DestinationOptions {
  /** For `s3://` only. */
  readonly s3?: S3Options
}
