import { promisify } from 'node:util'
import { constants, zstdDecompress, type InputType, type ZstdOptions } from 'node:zlib'
import { type Cutter, MAX_PART_BYTES, NO_TAIL, OUTPUT_BYTES } from './cut.ts'
import { free } from './free.ts'

interface Expanded {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

const decompress = promisify(zstdDecompress as unknown as Decompress)
type Decompress = (
  input: InputType,
  options: ZstdOptions,
  done: (error: Error | null, result: Expanded) => void,
) => void

/** zstd frames one after the other; Node stops behind each, and tells where that is. */
export const cutZstd: Cutter = async (window, start, plain) => {
  for (let at = start; ;) {
    const bytes = await window.bytes(at)
    if (bytes.length === 0) return { end: at, ended: false, tail: NO_TAIL }
    const frame = await expand(bytes)
    if (frame === undefined) {
      const tail = await expand(bytes, { finishFlush: constants.ZSTD_e_flush })
      return { end: at, ended: false, tail: tail?.buffer ?? NO_TAIL }
    }
    plain.push(frame.buffer)
    at += frame.engine.bytesWritten
    const { length } = frame.buffer
    free(frame.buffer)
    await window.pace(length)
  }
}

async function expand(bytes: Buffer, options: ZstdOptions = {}): Promise<Expanded | undefined> {
  try {
    const { buffer, engine } = await decompress(bytes, {
      ...options,
      info: true,
      chunkSize: OUTPUT_BYTES,
      maxOutputLength: MAX_PART_BYTES,
    })
    return engine.bytesWritten > 0 ? { buffer, engine } : undefined
  } catch {
    return undefined
  }
}
