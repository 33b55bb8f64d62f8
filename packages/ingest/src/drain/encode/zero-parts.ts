const SMALL = 64 * 1024
const LARGE = 1024 * 1024
/** Zeros in all from which on large parts are worth making: 1 MiB takes 2 ms, which a small crash would wait for. */
const MANY = 16 * 1024 * 1024

/** Parts for zero runs of any length, each power of two compressed once, when it is first needed. */
export function zeroParts(
  compress: (zeros: Buffer) => Uint8Array,
): (length: number) => readonly Uint8Array[] {
  const known = new Map<number, Uint8Array>()
  const part = (length: number): Uint8Array => {
    const compressed = known.get(length) ?? compress(Buffer.alloc(length))
    known.set(length, compressed)
    return compressed
  }
  let seen = 0
  return (length) => {
    seen += length
    const parts: Uint8Array[] = []
    let rest = length
    for (let size = seen < MANY ? SMALL : LARGE; rest > 0; size /= 2) {
      for (; rest >= size; rest -= size) parts.push(part(size))
    }
    return parts
  }
}
