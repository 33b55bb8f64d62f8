const SAMPLES = 4
const SAMPLE_BYTES = 1024
const MIN_BYTES = 16 * 1024
/**
 * Sum of the squared byte counts of 4096 samples: 69,632 for random bytes, and the more the less
 * evenly they are spread. Text is beyond 200,000.
 */
const MAX_SQUARES = 73_000

const counts = new Uint16Array(256)

/** Bytes spread so evenly that deflate would only cost time. */
export function isIncompressible(bytes: Uint8Array): boolean {
  if (bytes.length < MIN_BYTES) return false
  counts.fill(0)
  const stride = Math.floor((bytes.length - SAMPLE_BYTES) / (SAMPLES - 1))
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = sample * stride
    for (let i = start; i < start + SAMPLE_BYTES; i++) {
      const byte = bytes[i] as number
      counts[byte] = (counts[byte] as number) + 1
    }
  }
  let squares = 0
  for (const count of counts) squares += count * count
  return squares < MAX_SQUARES
}
