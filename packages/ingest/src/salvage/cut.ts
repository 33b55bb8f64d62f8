import { promisify } from 'node:util'
import {
  crc32,
  constants,
  zstdDecompress,
  type InputType,
  type ZlibOptions,
  type ZstdOptions,
} from 'node:zlib'
import { freeBuffer } from '../drain/encode/part-memory.ts'
import { ElfMeter } from '../elf/elf-meter.ts'
import type { FileWindow } from './file-window.ts'

/**
 * Output is taken in one buffer of this size, which holds any part that this package writes. Not a
 * multiple of a page: where a zstd frame just fills its output, Node continues with the next frame.
 */
const OUTPUT_BYTES = 1024 * 1024 + 1
/** No part of an entry may expand to more: no part of ours does, and damaged or hostile data could. */
const MAX_PART_BYTES = 16 * 1024 * 1024
export const NO_TAIL: Buffer = Buffer.alloc(0)

/** The part of an entry's data that can be used. */
export interface Cut {
  /** Its end in the file, where new data can follow. */
  readonly end: number
  /** The data is complete there. */
  readonly ended: boolean
  /** What could be expanded of the bytes after `end`; not yet in `Plain`. */
  readonly tail: Buffer
}

/** Finds the usable part of data that begins at `start`, and pushes what it expands to into `plain`. */
export type Cutter = (window: FileWindow, start: number, plain: Plain) => Promise<Cut>

/** Length, CRC-32 and ELF headers of what the data of an entry expands to. */
export class Plain {
  bytes = 0
  crc32 = 0
  readonly elf: ElfMeter = new ElfMeter()

  push(bytes: Buffer): void {
    this.bytes += bytes.length
    this.crc32 = crc32(bytes, this.crc32)
    this.elf.push(bytes)
  }
}

/** Stored data: everything that is there. */
export const cutStored: Cutter = async (window, start, plain) => {
  for (let at = start; ;) {
    const bytes = await window.bytes(at)
    if (bytes.length === 0) return { end: at, ended: true, tail: NO_TAIL }
    plain.push(bytes)
    at += bytes.length
    await window.pace(bytes.length)
  }
}

const expandFrame = expanderOf(zstdDecompress)

/** Consecutive zstd frames; Node stops after each one and reports its length. */
export const cutZstd: Cutter = async (window, start, plain) => {
  for (let at = start; ;) {
    const bytes = await window.bytes(at)
    if (bytes.length === 0) return { end: at, ended: false, tail: NO_TAIL }
    const frame = await expandFrame(bytes, {})
    if (frame === undefined || frame.inputBytes === 0) {
      const tail = await expandFrame(bytes, { finishFlush: constants.ZSTD_e_flush })
      return { end: at, ended: false, tail: tail && tail.inputBytes > 0 ? tail.data : NO_TAIL }
    }
    plain.push(frame.data)
    at += frame.inputBytes
    const { length } = frame.data
    free(frame.data)
    await window.pace(length)
  }
}

/** Expanded data, and how many bytes of the input it was. */
export interface Expanded {
  readonly data: Buffer
  readonly inputBytes: number
}

/** Options that inflate and zstd share. */
export type ExpandOptions = ZlibOptions & ZstdOptions

/** One of the functions of zlib that expand a buffer. */
type Expander = (
  input: InputType,
  options: ExpandOptions,
  done: (error: Error | null, result: unknown) => void,
) => void

/** The function of `node:zlib` as one that resolves to undefined for data it cannot expand. */
export function expanderOf(
  expander: Expander,
): (input: Buffer, options: ExpandOptions) => Promise<Expanded | undefined> {
  const expand = promisify(expander)
  return async (input, options) => {
    const limits = { info: true, chunkSize: OUTPUT_BYTES, maxOutputLength: MAX_PART_BYTES }
    try {
      return expandedOf(await expand(input, { ...options, ...limits }))
    } catch {
      return undefined
    }
  }
}

/** With `info`, zlib returns its engine too, which Node's types do not contain. */
function expandedOf(result: unknown): Expanded {
  if (typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result) {
    const { buffer, engine } = result
    const hasCount = typeof engine === 'object' && engine !== null && 'bytesWritten' in engine
    if (Buffer.isBuffer(buffer) && hasCount && typeof engine.bytesWritten === 'number') {
      return { data: buffer, inputBytes: engine.bytesWritten }
    }
  }
  throw new TypeError('zlib returned no info')
}

/**
 * Frees a buffer that is not used any more. zlib allocates one for each output, and V8 would collect
 * them only at 64 MiB, which is more than an agent has.
 */
export function free({ buffer }: Buffer): void {
  // the smaller ones share one pool
  if (buffer.byteLength > Buffer.poolSize) freeBuffer(buffer)
}
