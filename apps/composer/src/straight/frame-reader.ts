import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from './frames.ts'

export interface Frame {
  readonly type: number
  /** To be used before the next frame is asked for. */
  readonly content: Buffer
}

const NONE = Buffer.alloc(0)

/** Cuts bytes into frames; what it holds of one that is not whole is in one buffer, which is used again. */
export class FrameReader {
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES)
  #headBytes = 0
  #content: Buffer = NONE
  #have = 0;

  /** Whole frames of `bytes` and what came before. Throws on what is no frame. */
  *push(bytes: Buffer): Generator<Frame> {
    for (let at = 0; at < bytes.length;) {
      if (this.#headBytes < FRAME_HEADER_BYTES) {
        const taken = bytes.copy(this.#head, this.#headBytes, at)
        at += taken
        this.#headBytes += taken
        if (this.#headBytes < FRAME_HEADER_BYTES) return
        this.#makeRoom()
      }
      const length = this.#head.readUInt32BE(1)
      const taken = bytes.copy(this.#content, this.#have, at, at + length - this.#have)
      at += taken
      this.#have += taken
      if (this.#have < length) return
      this.#headBytes = 0
      this.#have = 0
      yield { type: this.#head[0] ?? 0, content: this.#content.subarray(0, length) }
    }
  }

  #makeRoom(): void {
    const length = this.#head.readUInt32BE(1)
    if (length > MAX_FRAME_BYTES) {
      throw new Error(
        `A frame of type ${this.#head[0]} says it has ${length} bytes, which none has: it is of another version, or damaged`,
      )
    }
    // in powers of two: a few are made until the largest has come
    if (this.#content.length < length) {
      this.#content = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(length)))
    }
  }
}
