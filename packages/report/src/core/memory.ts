/** The memory of the crashed process: a core file, `/proc/<pid>/mem`, or what was kept of them. */
export interface MemoryReader {
  /** At most `length` bytes from `address`; fewer where the memory ends or was not kept, none when it begins nowhere. */
  read(address: number, length: number): Buffer
}

const NOTHING = Buffer.alloc(0)

/** Ranges of memory that were copied; where two overlap, the longest that has the address counts. */
export class WindowMemory implements MemoryReader {
  readonly #windows: { readonly start: number; readonly bytes: Buffer }[] = []
  #last = 0
  /** Of all ranges together. */
  bytes = 0

  add(start: number, bytes: Buffer): void {
    this.#windows.push({ start, bytes })
    this.bytes += bytes.length
  }

  get windows(): readonly { readonly start: number; readonly bytes: Buffer }[] {
    return this.#windows
  }

  read(address: number, length: number): Buffer {
    // most reads come from the window of the one before
    const last = this.#window(this.#last, address, length)
    if (last.length === length) return last
    let best = last
    for (let index = 0; index < this.#windows.length && best.length < length; index++) {
      const found = this.#window(index, address, length)
      if (found.length <= best.length) continue
      best = found
      this.#last = index
    }
    return best
  }

  #window(index: number, address: number, length: number): Buffer {
    const window = this.#windows[index]
    if (window === undefined) return NOTHING
    const offset = address - window.start
    if (!(offset >= 0 && offset < window.bytes.length)) return NOTHING
    return window.bytes.subarray(offset, offset + length)
  }
}
