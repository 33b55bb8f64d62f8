// LEN is 16 bits; RFC 1951 3.2.4
const MAX_LENGTH = 0xffff

const headers = new Map<number, Uint8Array>()

/** `bytes` as stored deflate blocks, not the last ones of the stream: headers beside the bytes themselves. */
export function storedBlocks(bytes: Uint8Array): readonly Uint8Array[] {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += MAX_LENGTH) {
    const block = bytes.subarray(at, at + MAX_LENGTH)
    blocks.push(header(block.length), block)
  }
  return blocks
}

/** Byte aligned: BFINAL 0, BTYPE 00 and padding, LEN, NLEN. */
function header(length: number): Uint8Array {
  const known = headers.get(length)
  if (known !== undefined) return known
  const made = Buffer.from([0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff])
  // lengths are those of blocks cut at pages: few, but the last one of a stream can be any
  if (headers.size < 256) headers.set(length, made)
  return made
}
