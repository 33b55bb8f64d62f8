import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

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

/** A file that is still written, for {@link Destination.putGrowing}. */
export interface GrowingFile {
  /** Where it is now; it stays the same file, in the same directory, when it is finished. */
  readonly path: string
  /** Where it is when it is finished; the record of the upload is beside it. */
  readonly finalPath: string
  /** The most bytes that it can have: sets the size of its parts. @default 10,000 parts of `partBytes` */
  readonly maxBytes?: number
  /** Appended to the key where the name does not have it: no other upload may use this key. */
  readonly uniqueId: string
  /** Frees this range of the file on its disk, so that it reads as zeros, such as by fallocate(2). */
  readonly free: (fd: number, position: number, bytes: number) => Promise<void>
}

/**
 * Sends the parts of a file while it is written, and frees on the disk what the store has confirmed and the record
 * beside the file names: nothing is ever both unconfirmed and freed. The first part stays, as it may be changed to
 * the end. Not to be completed here: `put` of the finished file does that, in any process.
 */
export interface GrowingUpload extends AsyncDisposable {
  /** The most bytes that it can upload. */
  readonly maxBytes: number
  readonly partBytes: number
  /** Bytes that only the store has, all after the first part. */
  readonly freedBytes: number
  /** Why the last attempt failed, until one succeeds. */
  readonly failure: Error | undefined
  /** Nothing more is freed: it was stopped, or `failure` is for good. */
  readonly isOver: boolean
  /** The first `bytes` of the file do not change any more, except in the first part: sends what is a whole part. */
  advance(bytes: number): void
  /** Ends the sending; what the store has not confirmed by then stays in the file. Idempotent. */
  stop(): Promise<void>
  /** After `stop`: the file is finished, and not written to any more. Rejects when its record cannot be written. */
  seal(): Promise<void>
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
  /** Begin the upload of a file that is still written; `s3://` only. */
  putGrowing(file: GrowingFile, key: string): Promise<GrowingUpload>
  /** Resolves when the destination answers and accepts the credentials; rejects with `UploadError`. */
  check(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Give up an interrupted upload of a file that exists no more: free what the store keeps of it. */
  abandon(file: string, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Close idle connections; transfers in progress fail. */
  close(): Promise<void>
}
