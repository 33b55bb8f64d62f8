/** A range of memory in a minicore. */
export interface Piece {
  readonly vaddr: number
  readonly bytes: Buffer
  /** Of the range; a range without bytes is one that the process had. @default bytes.length */
  readonly memoryBytes?: number
  /** p_flags. */
  readonly flags: number
}

/** In order of address, and none reaches into the next: debuggers read the first that has an address. */
export function withoutOverlaps(pieces: readonly Piece[]): Piece[] {
  const clean: Piece[] = []
  let end = 0
  for (const piece of pieces.toSorted((a, b) => a.vaddr - b.vaddr)) {
    const skip = Math.max(0, end - piece.vaddr)
    if (skip >= piece.bytes.length) continue
    const kept = { ...piece, vaddr: piece.vaddr + skip, bytes: piece.bytes.subarray(skip) }
    clean.push(kept)
    end = kept.vaddr + kept.bytes.length
  }
  return clean
}
