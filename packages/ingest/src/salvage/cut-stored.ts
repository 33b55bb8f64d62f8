import { type Cutter, NO_TAIL } from './cut.ts'

/** Data as it is: all that is there. */
export const cutStored: Cutter = async (window, start, plain) => {
  for (let at = start; ;) {
    const bytes = await window.bytes(at)
    if (bytes.length === 0) return { end: at, ended: true, tail: NO_TAIL }
    plain.push(bytes)
    at += bytes.length
    await window.pace(bytes.length)
  }
}
