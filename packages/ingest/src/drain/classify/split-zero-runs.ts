import type { Block } from '../block-pool.ts'

const PAGE = 4096
/** Shorter runs stay with the data around them: cutting there costs more than it saves. */
const MIN_RUN = 16 * 1024
const ZERO_PAGE = Buffer.alloc(PAGE)

/** Told each part of a block in order, `[start, end)`. */
export type PartHandler = (start: number, end: number, zero: boolean) => void

/**
 * Cuts `block` into runs of zero pages and what is between them. A run that may go on from the block
 * before (`afterZero`), or into the next, counts however short it is.
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
    const counts = at - start >= MIN_RUN || (start === 0 && afterZero) || at === length
    if (!counts) continue
    if (start > data) onPart(data, start, false)
    onPart(start, at, true)
    data = at
  }
  if (data < length) onPart(data, length, false)
}

function isZeroPage({ buffer, words }: Block, at: number): boolean {
  // four probes spare most pages the call
  const word = at >> 2
  if (words[word] || words[word + 1] || words[word + 512] || words[word + 1023]) return false
  return buffer.compare(ZERO_PAGE, 0, PAGE, at, at + PAGE) === 0
}
