import { constants, inflateRaw } from 'node:zlib'
import {
  FLUSH_MARKER,
  LAST_BLOCK,
  parseStoredHeader,
  STORED_HEADER_BYTES,
} from '../drain/encode/deflate-blocks.ts'
import {
  expanderOf,
  free,
  NO_TAIL,
  type Cut,
  type Cutter,
  type Expanded,
  type ExpandOptions,
} from './cut.ts'

const inflate = expanderOf(inflateRaw)

/** Stored data can contain the bytes of a flush; so many of them are tried. */
const MAX_TRIES = 64
/** The greatest distance of a reference; RFC 1951 2. */
const MAX_DISTANCE = 32 * 1024

/**
 * Raw deflate, followed from one byte-aligned block boundary to the next: stored blocks by their
 * length, others up to a flush, which is proven by ending the stream there. zlib knows every
 * boundary, but Node does not expose it.
 */
export const cutDeflate: Cutter = async (window, start, plain) => {
  const history = new History()
  const take = async (bytes: Buffer): Promise<void> => {
    plain.push(bytes)
    history.push(bytes)
    await window.pace(bytes.length)
  }
  for (let at = start; ;) {
    const head = await window.bytes(at, STORED_HEADER_BYTES)
    if (head.length === 0) return cutAt(at)
    if (isStored(head)) {
      const length = parseStoredHeader(head)
      if (length === undefined) return cutAt(at)
      const data = await window.bytes(at + STORED_HEADER_BYTES, length)
      if (data.length < length) return { ...cutAt(at), tail: Buffer.from(data) }
      at += STORED_HEADER_BYTES + length
      await take(data)
      continue
    }
    // before the window moves on
    const last = isLast(head)
    const bytes = await window.bytes(at)
    const part = last ? await expand(bytes, history) : await expandToFlush(bytes, history)
    if (part === undefined) return { ...cutAt(at), tail: await expandTail(bytes, history) }
    at += part.inputBytes
    await take(part.data)
    free(part.data)
    if (last) return { end: at, ended: true, tail: NO_TAIL }
  }
}

function cutAt(end: number): Cut {
  return { end, ended: false, tail: NO_TAIL }
}

// BFINAL is bit 0, BTYPE bits 1 and 2
function isLast(head: Buffer): boolean {
  return ((head[0] ?? 0) & 1) === 1
}

function isStored(head: Buffer): boolean {
  return ((head[0] ?? 0) & 7) === 0
}

/** The blocks from the start of `bytes` up to a flush. */
async function expandToFlush(bytes: Buffer, history: History): Promise<Expanded | undefined> {
  let marker = -1
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    marker = bytes.indexOf(FLUSH_MARKER, marker + 1)
    if (marker < 0) return undefined
    const end = marker + FLUSH_MARKER.length
    const closed = Buffer.concat([bytes.subarray(0, end), LAST_BLOCK])
    const part = await expand(closed, history)
    free(closed)
    if (part?.inputBytes === end + LAST_BLOCK.length) return { data: part.data, inputBytes: end }
  }
  return undefined
}

/** What zlib can expand of data that is cut somewhere. */
async function expandTail(bytes: Buffer, history: History): Promise<Buffer> {
  const part = await expand(bytes, history, { finishFlush: constants.Z_SYNC_FLUSH })
  return part?.data ?? NO_TAIL
}

/** First without the history: a full flush needs none, and Node copies it for each call. */
async function expand(
  bytes: Buffer,
  history: History,
  options: ExpandOptions = {},
): Promise<Expanded | undefined> {
  return (
    (await inflate(bytes, options)) ??
    (await inflate(bytes, { ...options, dictionary: history.bytes() }))
  )
}

/** The last bytes of a stream, which later blocks can refer to. */
class History {
  readonly #bytes = Buffer.alloc(MAX_DISTANCE)
  #length = 0

  push(bytes: Buffer): void {
    if (bytes.length >= MAX_DISTANCE) {
      this.#length = bytes.copy(this.#bytes, 0, bytes.length - MAX_DISTANCE)
      return
    }
    const kept = Math.min(this.#length, MAX_DISTANCE - bytes.length)
    this.#bytes.copyWithin(0, this.#length - kept, this.#length)
    this.#length = kept + bytes.copy(this.#bytes, kept)
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}
