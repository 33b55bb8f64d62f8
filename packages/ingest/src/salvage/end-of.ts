import { zstdCompressSync } from 'node:zlib'
import { storedBlocks } from '../drain/encode/stored-blocks.ts'

/** An empty block with fixed codes, the last one; RFC 1951 3.2.3. */
const LAST_BLOCK = Buffer.from([3, 0])

/** What ends data of this method behind a boundary, `tail` once more before it. */
export function endOf(method: number, tail: Buffer): readonly Uint8Array[] {
  if (method === 0) return [tail]
  if (method === 8) return [...storedBlocks(tail), LAST_BLOCK]
  const empty = zstdCompressSync(Buffer.alloc(0))
  return tail.length > 0 ? [zstdCompressSync(tail), empty] : [empty]
}
