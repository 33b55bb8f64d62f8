import { Readable } from 'node:stream'
import { RandomAccessReader } from 'yauzl'
import { messageOf } from '../error.ts'
import type { Store, StoredObject } from '../store/store.ts'

/**
 * What yauzl reads first: the longest comment of a zip, its end record and the Zip64 locator. The central
 * directory and the manifest are in it too, for all but the largest bundles.
 */
const WINDOW_BYTES = 65_535 + 22 + 20

interface Window {
  readonly start: number
  readonly bytes: Buffer
}

/** Reads a stored zip by ranges: its end first, in one request, and more only where that is not enough. */
export class RangeReader extends RandomAccessReader {
  readonly #store: Store
  readonly #object: StoredObject
  #window: Promise<Window>

  constructor(store: Store, object: StoredObject) {
    super()
    this.#store = store
    this.#object = object
    const start = Math.max(0, object.bytes - WINDOW_BYTES)
    this.#window = this.#fetch(start, object.bytes - start)
  }

  /** Exactly `length` bytes; small ones only. */
  async bytes(start: number, length: number): Promise<Buffer> {
    let window = await this.#window
    if (start < window.start || start + length > window.start + window.bytes.length) {
      const available = Math.min(WINDOW_BYTES, this.#object.bytes - start)
      this.#window = this.#fetch(start, Math.max(length, available))
      window = await this.#window
    }
    return window.bytes.subarray(start - window.start, start - window.start + length)
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.bytes(position, length).then(
      (bytes) => {
        bytes.copy(buffer, offset)
        callback(null)
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error))),
    )
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from([this.bytes(start, end - start)])
  }

  #fetch(start: number, length: number): Promise<Window> {
    const window = this.#load(start, length)
    // it is awaited later
    window.catch(() => {})
    return window
  }

  async #load(start: number, length: number): Promise<Window> {
    if (length === 0) return { start, bytes: Buffer.alloc(0) }
    return { start, bytes: await this.#store.read(this.#object, start, length) }
  }
}
