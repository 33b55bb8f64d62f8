/** An empty block with fixed codes, the last one of a stream; RFC 1951 3.2.3. */
export const LAST_BLOCK: Buffer = Buffer.from([3, 0])

/** What Z_FULL_FLUSH and Z_SYNC_FLUSH end with: an empty stored block; RFC 1951 3.2.4. */
export const FLUSH_MARKER: Buffer = Buffer.from([0, 0, 0xff, 0xff])

/** BFINAL 0, BTYPE 00 and padding, LEN, NLEN; RFC 1951 3.2.4. */
export const STORED_HEADER_BYTES = 5

// LEN is 16 bits
const MAX_LENGTH = 0xffff

const headers = new Map<number, Uint8Array>()

/** `bytes` as stored deflate blocks, not the last ones of the stream: headers beside the uncopied bytes. */
export function storedBlocks(bytes: Uint8Array): readonly Uint8Array[] {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += MAX_LENGTH) {
    const block = bytes.subarray(at, at + MAX_LENGTH)
    blocks.push(storedHeader(block.length), block)
  }
  return blocks
}

/** The length of a stored block that begins, byte aligned, with `header`; undefined where it is invalid. */
export function parseStoredHeader(header: Buffer): number | undefined {
  if (header.length < STORED_HEADER_BYTES) return undefined
  const length = header.readUInt16LE(1)
  return (length ^ header.readUInt16LE(3)) === 0xffff ? length : undefined
}

function storedHeader(length: number): Uint8Array {
  const known = headers.get(length)
  if (known !== undefined) return known
  const made = Buffer.from([0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff])
  // lengths are those of blocks cut at pages: few, but the last one of a stream can be any
  if (headers.size < 256) headers.set(length, made)
  return made
}
