import { readSync } from 'node:fs'

const NOTHING = Buffer.alloc(0)
const SLAB_BYTES = 256 * 1024

/** The memory of the crashed process: a core file, `/proc/<pid>/mem`, or what was kept of them. */
export interface MemoryReader {
  /** At most `length` bytes from `address`; fewer where the memory ends or was not kept, none when it begins nowhere. */
  read(address: number, length: number): Buffer
}

/** A range of memory that was copied. */
export interface CopiedWindow {
  readonly start: number
  readonly bytes: Buffer
}

/** Ranges of memory that were copied; where two overlap, the longest that has the address counts. */
export class WindowMemory implements MemoryReader {
  readonly #windows: CopiedWindow[] = []
  /** By their starts; fewer than all until the next read. */
  #sorted: readonly CopiedWindow[] = []
  /** Of each sorted window the highest end of those up to it. */
  #ends = new Float64Array(0)
  #last: CopiedWindow | undefined
  /** Of all ranges together. */
  bytes = 0

  add(start: number, bytes: Buffer): void {
    this.#windows.push({ start, bytes })
    this.bytes += bytes.length
  }

  /** In the order in which they were added. */
  get windows(): readonly CopiedWindow[] {
    return this.#windows
  }

  read(address: number, length: number): Buffer {
    // most reads come from the window of the one before
    let best = part(this.#last, address, length)
    if (best.length === length) return best
    if (this.#sorted.length < this.#windows.length) this.#sort()
    // a hostile stack asks for addresses below zero, where no window begins
    for (let index = this.#below(address); index >= 0; index--) {
      if (!((this.#ends[index] ?? 0) > address)) break
      const window = this.#sorted[index]
      const found = part(window, address, length)
      if (found.length <= best.length) continue
      best = found
      this.#last = window
      if (best.length === length) break
    }
    return best
  }

  /** Index of the last window that begins at or below the address. */
  #below(address: number): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sorted[middle]?.start ?? 0) <= address) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #sort(): void {
    this.#sorted = this.#windows.toSorted((a, b) => a.start - b.start)
    let end = 0
    this.#ends = Float64Array.from(this.#sorted, ({ start, bytes }) => {
      end = Math.max(end, start + bytes.length)
      return end
    })
  }
}

function part(window: CopiedWindow | undefined, address: number, length: number): Buffer {
  if (window === undefined) return NOTHING
  const offset = address - window.start
  if (!(offset >= 0 && offset < window.bytes.length)) return NOTHING
  return window.bytes.subarray(offset, offset + length)
}

/**
 * The memory of a live process behind an open `/proc/<pid>/mem`, which stays the caller's. After the
 * process has ended it is empty.
 */
export function processMemory(fd: number): MemoryReader {
  return {
    read(address, length) {
      const buffer = Buffer.allocUnsafe(length)
      let done = 0
      try {
        while (done < length) {
          const read = readSync(fd, buffer, done, length - done, address + done)
          if (read === 0) break
          done += read
        }
      } catch {
        // EIO: no memory from here on
      }
      return buffer.subarray(0, done)
    },
  }
}

/** Memory for many windows that live equally long: in Node's pool they would keep what lies between them. */
export class Slab {
  readonly #all: ArrayBuffer[] = []
  #bytes: Buffer = Buffer.alloc(0)
  #used = 0

  /** Zeros. */
  take(length: number): Buffer {
    if (length > SLAB_BYTES / 4) return this.#allocate(length)
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = this.#allocate(SLAB_BYTES)
      this.#used = 0
    }
    const taken = this.#bytes.subarray(this.#used, this.#used + length)
    this.#used += length
    return taken
  }

  /** Frees all of it, without waiting for the garbage collector. Nothing that was taken may be used again. */
  free(): void {
    for (const memory of this.#all.splice(0)) memory.transfer(0)
    this.#bytes = Buffer.alloc(0)
    this.#used = 0
  }

  #allocate(length: number): Buffer {
    const memory = new ArrayBuffer(length)
    this.#all.push(memory)
    return Buffer.from(memory)
  }
}
