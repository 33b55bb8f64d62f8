import type { Block } from '../block-pool.ts'

const PAGE = 4096
/** Shorter zero runs stay with the data around them: cutting there costs more than it saves. */
const MIN_ZERO_RUN = 16 * 1024
const ZERO_PAGE = Buffer.alloc(PAGE)

const WINDOW = 16 * 1024
const SAMPLES = 2
const SAMPLE_BYTES = 128
/**
 * Sum of the squared counts of 256 bytes: 511 ± 23 where they are random, and the more the less
 * evenly they are spread: 1,276 for base64, beyond 1,600 for text.
 */
const MAX_SQUARES = 650

const counts = new Uint16Array(256)

/** Called for each part in order, `[start, end)`; `matches` where it is of the wanted kind. */
export type PartHandler = (start: number, end: number, matches: boolean) => void

/**
 * Cuts `block` into runs of zero pages and the data between them. A run that may continue from the
 * block before (`afterZero`), or into the next, counts however short it is.
 */
export function splitZeroRuns(block: Block, afterZero: boolean, onPart: PartHandler): void {
  const { length } = block
  const whole = length - (length % PAGE)
  let data = 0
  let at = 0
  while (at < whole) {
    if (!isZeroPage(block, at)) {
      at += PAGE
      continue
    }
    const start = at
    do at += PAGE
    while (at < whole && isZeroPage(block, at))
    const isRun = at - start >= MIN_ZERO_RUN || (start === 0 && afterZero) || at === length
    if (!isRun) continue
    if (start > data) onPart(data, start, false)
    onPart(start, at, true)
    data = at
  }
  if (data < length) onPart(data, length, false)
}

function isZeroPage({ buffer, words }: Block, at: number): boolean {
  // four probes avoid the call for most pages
  const word = at >> 2
  if (words[word] || words[word + 1] || words[word + 512] || words[word + 1023]) return false
  return buffer.compare(ZERO_PAGE, 0, PAGE, at, at + PAGE) === 0
}

/**
 * Cuts `bytes`, 16 KiB at a time, into what deflate cannot make smaller (its slowest input: keys,
 * ciphers, media) and the rest. Anything shorter than 16 KiB is not cut.
 */
export function splitIncompressible(bytes: Uint8Array, onPart: PartHandler): void {
  let start = 0
  let incompressible = false
  // the last window includes the remainder
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
      const byte = bytes[i] ?? 0
      const count = counts[byte] ?? 0
      // (n + 1)² - n²
      squares += 2 * count + 1
      counts[byte] = count + 1
    }
    if (squares > MAX_SQUARES) return false
  }
  return true
}
