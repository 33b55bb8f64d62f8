/**
 * What composer and agent say to each other on `<HOST_DIR>/straight`, and what a composer writes to
 * disk when the agent cannot go on: frames of a type (1 byte), a length (4, big endian) and content.
 */
export const FRAME = {
  /** Composer: JSON, `StraightHello`; the first one. */
  hello: 1,
  /** Composer: bytes of the archive. */
  data: 2,
  /** Composer: JSON, `OpenArchive` of ingest: the archive could be ended behind the data so far. */
  boundary: 3,
  /** Composer: the archive is whole; the text of its manifest. */
  end: 4,
  /** Composer: what is not confirmed is on its disk. */
  leave: 5,
  /** Agent: go ahead. */
  accepted: 16,
  /** Agent: JSON, `PartsState` of upload, whose ETags are those that are new. */
  confirmed: 17,
  /** Agent: the store has the whole archive, verified; its URL. */
  stored: 18,
  /** Agent: it takes nothing (any more); the reason. */
  refused: 19,
} as const

export const FRAME_HEADER_BYTES = 5
/** Longer content is in several; a frame that says it is longer is none. */
export const MAX_FRAME_BYTES: number = 1024 * 1024
/** What a file of frames begins with, for it has the name of an unfinished bundle. */
export const FRAMES_MAGIC = 'core-dump-handler straight 1\n'

/** Name of the agent's socket in HOST_DIR. */
export const STRAIGHT_SOCKET = 'straight'

/** What an agent must know to deliver a bundle, and to end it should the composer die. */
export interface StraightHello {
  /** Of the bundle, without `.zip`. */
  readonly name: string
  readonly uuid: string
  /** Text of `-dump-info.json`. */
  readonly dumpInfo: string
  /** When the composer began, ms since 1970. */
  readonly startedMs: number
  /** In a file: the parts that the store has; what follows are the bytes behind them. */
  readonly resume?: unknown
}

/** The header of a frame; its content follows. */
export function frameHeader(type: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES)
  header[0] = type
  header.writeUInt32BE(length, 1)
  return header
}

export function frame(type: number, content: string): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([frameHeader(type, bytes.length), bytes])
}
