import type { Random } from './random.ts'

const WORDS = ['heap', 'GET /api/v1/pods', 'trace_id=', '0x7f31', 'null', '{"name":"', 'java.lang']

/** Kinds of memory that are found in cores. */
const KINDS: Record<string, (bytes: Buffer, random: Random) => void> = {
  zero: () => {},
  random: (bytes, random) => {
    for (let i = 0; i + 4 <= bytes.length; i += 4) bytes.writeUInt32LE(random.below(2 ** 32), i)
  },
  text: (bytes, random) => {
    for (let i = 0; i < bytes.length;) i += bytes.write(`${random.pick(WORDS)} `, i) || 1
  },
  pointers: (bytes, random) => {
    for (let i = 0; i + 8 <= bytes.length; i += 8) {
      bytes.writeUInt32LE(0x7f31_0000 + random.below(0xffff) * 16, i)
    }
  },
  sparse: (bytes, random) => {
    for (let i = random.below(5000); i < bytes.length; i += 1 + random.below(9000)) bytes[i] = 1
  },
}

/** `length` bytes of segments of all kinds, most of them cut at pages. */
export function mixedContent(random: Random, length: number): Buffer {
  const content = Buffer.alloc(length)
  for (let at = 0; at < length;) {
    const unit = random.pick([1, 512, 4096, 4096, 4096])
    const size = Math.min(unit * (1 + random.below(random.pick([3, 40, 120]))), length - at)
    KINDS[random.pick(Object.keys(KINDS))]?.(content.subarray(at, at + size), random)
    at += size
  }
  return content
}
