import { constants, zstdDecompress } from 'node:zlib'
import { type Cutter, expanderOf, free, NO_TAIL } from './cut.ts'

const expand = expanderOf(zstdDecompress)

/** Consecutive zstd frames; Node stops after each one and reports its length. */
export const cutZstd: Cutter = async (window, start, plain) => {
  for (let at = start; ;) {
    const bytes = await window.bytes(at)
    if (bytes.length === 0) return { end: at, ended: false, tail: NO_TAIL }
    const frame = await expand(bytes, {})
    if (frame === undefined || frame.inputBytes === 0) {
      const tail = await expand(bytes, { finishFlush: constants.ZSTD_e_flush })
      return { end: at, ended: false, tail: tail && tail.inputBytes > 0 ? tail.data : NO_TAIL }
    }
    plain.push(frame.data)
    at += frame.inputBytes
    const { length } = frame.data
    free(frame.data)
    await window.pace(length)
  }
}
