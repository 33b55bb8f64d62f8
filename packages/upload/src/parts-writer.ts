import type { Stored } from './destination.ts'

/** What the store has of an object that is made part by part: with it another process can go on. */
export interface PartsState {
  /** Store and bucket, without credentials. */
  readonly store: string
  /** With the destination's prefix. */
  readonly key: string
  readonly uploadId: string
  /** Metadata by which the object will be known as this one. */
  readonly token: string
  /** Of each part; a last one may be shorter. */
  readonly partBytes: number
  /** Of the parts that the store has confirmed, in their order and without a gap. */
  readonly etags: readonly string[]
}

/** Options of `Destination.putParts`. */
export interface PutPartsOptions {
  readonly signal?: AbortSignal
  /** Go on behind the parts that an earlier writer has sent: bytes are given from there. */
  readonly resume?: PartsState
  /** How many bytes are to come, where that is known: of more than 10,000 parts each must be larger. */
  readonly expectedBytes?: number
  /** Called after each part that makes `confirmedBytes` grow. */
  readonly onConfirmed?: (state: PartsState) => void
}

/** An object that is made of bytes as they come, in constant memory; for one caller at a time. */
export interface PartsWriter {
  /** Bytes that the store has confirmed; what lies behind them is its giver's to keep. */
  readonly confirmedBytes: number
  /** Undefined until a part was confirmed. */
  readonly state: PartsState | undefined
  /** Takes a copy; waits while the store is behind. Rejects with the `UploadError` of a part that failed. */
  write(bytes: Uint8Array): Promise<void>
  /** Send the rest, complete the object and resolve once the store has confirmed its size and origin. */
  finish(): Promise<Stored>
  /** What was given and is not confirmed, until `leave` or `abort`; copies. */
  unconfirmed(): Uint8Array[]
  /** Stop at once; what the store has confirmed stays there, to be gone on with. */
  leave(): Promise<void>
  /** Stop, and free what the store has. */
  abort(): Promise<void>
}
