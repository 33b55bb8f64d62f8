const WINDOW = 16 * 1024
const SAMPLES = 2
const SAMPLE_BYTES = 128
/**
 * Sum of the squared counts of 256 bytes: 511 ± 23 where they are random, and the more the less
 * evenly they are spread: 1,276 for base64, beyond 1,600 for text.
 */
const MAX_SQUARES = 650

const counts = new Uint16Array(256)

/** Told each part in order, `[start, end)`. */
export type PartHandler = (start: number, end: number, incompressible: boolean) => void

/**
 * Cuts `bytes` into what deflate would only lose time with (its slowest input: keys, ciphers, media)
 * and the rest, 16 KiB at a time. What is shorter than that is never worth a cut.
 */
export function splitIncompressible(bytes: Uint8Array, onPart: PartHandler): void {
  let start = 0
  let incompressible = false
  // the last window takes what is left over
  for (let at = 0; at + WINDOW <= bytes.length; at += WINDOW) {
    const kind = isSpreadEvenly(bytes, at)
    if (kind === incompressible) continue
    if (at > start) onPart(start, at, incompressible)
    start = at
    incompressible = kind
  }
  if (bytes.length > start) onPart(start, bytes.length, incompressible)
}

function isSpreadEvenly(bytes: Uint8Array, window: number): boolean {
  counts.fill(0)
  let squares = 0
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = window + sample * (WINDOW / SAMPLES)
    for (let i = start; i < start + SAMPLE_BYTES; i++) {
      const byte = bytes[i] as number
      const count = counts[byte] as number
      // (n + 1)² - n²
      squares += 2 * count + 1
      counts[byte] = count + 1
    }
    if (squares > MAX_SQUARES) return false
  }
  return true
}
