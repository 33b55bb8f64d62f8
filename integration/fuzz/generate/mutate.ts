import type { Random } from './random.ts'
import { text } from './text.ts'

const BYTES = [0, 1, 9, 10, 13, 0x22, 0x2f, 0x3a, 0x5c, 0x7f, 0x80, 0xc3, 0xfe, 0xff]
const NUMBERS = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xfffen,
  0xffffn,
  0x7fff_ffffn,
  0xffff_ffffn,
  (1n << 53n) + 1n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
]

type Change = (bytes: Buffer, random: Random) => Buffer

const CHANGES: readonly Change[] = [
  function flip(bytes, random) {
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    return bytes
  },
  function set(bytes, random) {
    bytes[random.below(bytes.length)] = random.pick(BYTES)
    return bytes
  },
  function number(bytes, random) {
    const size = random.pick([2, 4, 8])
    if (bytes.length < size) return bytes
    const value = random.pick(NUMBERS)
    const encoded = Buffer.alloc(8)
    encoded.writeBigUInt64LE(value)
    const field = encoded.subarray(0, size)
    if (random.once(3)) field.reverse()
    bytes.set(field, random.below(bytes.length - size + 1))
    return bytes
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length))
  },
  function remove(bytes, random) {
    const from = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(8))])
  },
  function insert(bytes, random) {
    const at = random.below(bytes.length + 1)
    const more = random.once(2) ? Buffer.from(text(random)) : random.bytes(random.below(16))
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])
  },
  function repeat(bytes, random) {
    const from = random.below(bytes.length)
    const piece = bytes.subarray(from, from + 1 + random.below(64))
    return Buffer.concat([bytes.subarray(0, from), piece, piece, bytes.subarray(from)])
  },
]

/** A damaged copy of `bytes`; now and then an undamaged one. */
export function mutate(random: Random, bytes: Uint8Array): Buffer {
  let result: Buffer = Buffer.from(bytes)
  for (let left = random.below(6); left > 0 && result.length > 0; left--) {
    result = random.pick(CHANGES)(result, random)
  }
  return result
}
