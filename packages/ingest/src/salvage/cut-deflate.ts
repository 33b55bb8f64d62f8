import { promisify } from 'node:util'
import { constants, inflateRaw, type InputType, type ZlibOptions } from 'node:zlib'
import { type Cut, type Cutter, MAX_PART_BYTES, NO_TAIL, OUTPUT_BYTES } from './cut.ts'
import { free } from './free.ts'
import { History } from './history.ts'

interface Inflated {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

// with `info` it tells how much of the input it took, which its types do not say
const inflate = promisify(inflateRaw as unknown as Inflate)
type Inflate = (
  input: InputType,
  options: ZlibOptions,
  done: (error: Error | null, result: Inflated) => void,
) => void

/** What Z_FULL_FLUSH and Z_SYNC_FLUSH end with: an empty stored block, RFC 1951 3.2.4. */
const FLUSHED = Buffer.from([0, 0, 0xff, 0xff])
const LAST_BLOCK = Buffer.from([3, 0])
const STORED_HEADER_BYTES = 5
/** The same bytes inside stored data are no flush; so many are tried. */
const MAX_TRIES = 64

/**
 * Raw deflate, followed from one byte-aligned block boundary to the next: stored blocks by their
 * length, others up to a flush that is proven by ending the stream behind it. zlib knows every
 * boundary, but Node does not pass that on.
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
      const length = storedLength(head)
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
    at += part.engine.bytesWritten
    await take(part.buffer)
    free(part.buffer)
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

function storedLength(head: Buffer): number | undefined {
  if (head.length < STORED_HEADER_BYTES) return undefined
  const length = head.readUInt16LE(1)
  return (length ^ head.readUInt16LE(3)) === 0xffff ? length : undefined
}

/** Blocks from the first of `bytes` up to a flush. */
async function expandToFlush(bytes: Buffer, history: History): Promise<Inflated | undefined> {
  let marker = -1
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    marker = bytes.indexOf(FLUSHED, marker + 1)
    if (marker < 0) return undefined
    const end = marker + FLUSHED.length
    const closed = Buffer.concat([bytes.subarray(0, end), LAST_BLOCK])
    const part = await expand(closed, history)
    free(closed)
    if (part?.engine.bytesWritten !== end + LAST_BLOCK.length) continue
    return { buffer: part.buffer, engine: { bytesWritten: end } }
  }
  return undefined
}

/** Bytes that are cut somewhere: what zlib can make of them. */
async function expandTail(bytes: Buffer, history: History): Promise<Buffer> {
  const part = await expand(bytes, history, { finishFlush: constants.Z_SYNC_FLUSH })
  return part?.buffer ?? NO_TAIL
}

/** Without the history first: a full flush needs none, and Node keeps a copy of it for each call. */
async function expand(
  bytes: Buffer,
  history: History,
  options: ZlibOptions = {},
): Promise<Inflated | undefined> {
  return (
    (await tryInflate(bytes, options)) ??
    (await tryInflate(bytes, { ...options, dictionary: history.bytes() }))
  )
}

async function tryInflate(bytes: Buffer, options: ZlibOptions): Promise<Inflated | undefined> {
  const limits = { info: true, chunkSize: OUTPUT_BYTES, maxOutputLength: MAX_PART_BYTES }
  try {
    return await inflate(bytes, { ...options, ...limits })
  } catch {
    return undefined
  }
}
