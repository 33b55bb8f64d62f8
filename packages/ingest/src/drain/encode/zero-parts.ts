const LARGEST = 1024 * 1024
const ZEROS = Buffer.alloc(LARGEST)

/** Parts for zero runs of any length, each power of two compressed once. */
export function zeroParts(
  compress: (zeros: Buffer) => Uint8Array,
): (length: number) => readonly Uint8Array[] {
  const known = new Map<number, Uint8Array>()
  const part = (length: number): Uint8Array => {
    const compressed = known.get(length) ?? compress(ZEROS.subarray(0, length))
    known.set(length, compressed)
    return compressed
  }
  return (length) => {
    const parts: Uint8Array[] = []
    let rest = length
    for (let size = LARGEST; rest > 0; size /= 2) {
      for (; rest >= size; rest -= size) parts.push(part(size))
    }
    return parts
  }
}
