import type { ZipEntryWriter } from '../../zip/entry-writer.ts'
import type { Codec } from './codec.ts'
import type { Held } from './part-memory.ts'

/** A place in the output, filled when its bytes are ready. */
export interface Piece {
  chunks?: readonly Uint8Array[]
  /** Output memory, which stays until the bytes are written. */
  held?: readonly Held[]
  /** A block that must stay as well: others may be waiting for it. */
  block?: Held
}

const WRITE_BYTES = 256 * 1024
const WRITE_CHUNKS = 512

export interface OutputEvents {
  /** A write that had to be waited for is done: there may be something to pump, and to release. */
  readonly onWritten: () => void
  /** Called once: nothing more is written. */
  readonly onError: (error: unknown) => void
}

/** Writes pieces in the order of their places, several in one write. */
export class OrderedOutput {
  readonly #entry: ZipEntryWriter
  readonly #padding: Codec['padding']
  readonly #events: OutputEvents
  readonly #pieces: Piece[] = []
  #chunks: Uint8Array[] = []
  #bytes = 0
  #held: Held[] = []
  #blocks: Held[] = []
  #writing = false
  #failed = false
  #onDrained: (() => void) | undefined

  constructor(entry: ZipEntryWriter, { padding }: Codec, events: OutputEvents) {
    this.#entry = entry
    this.#padding = padding
    this.#events = events
  }

  /** The piece everything behind waits for. */
  get head(): Piece | undefined {
    return this.#pieces[0]
  }

  /** Pieces not yet written. */
  get length(): number {
    return this.#pieces.length
  }

  add(piece: Piece): void {
    this.#pieces.push(piece)
  }

  /** Takes what is ready; writes once enough has come together. */
  pump(): void {
    while (!this.#writing && !this.#failed && this.#pieces[0]?.chunks !== undefined) {
      const { chunks, held, block } = this.#pieces.shift() as Required<Piece>
      this.#gather(chunks)
      if (held !== undefined) this.#held.push(...held)
      if (block !== undefined) this.#blocks.push(block)
      if (this.#bytes >= WRITE_BYTES || this.#chunks.length >= WRITE_CHUNKS) this.#write()
    }
    if (this.#onDrained !== undefined) this.#drain(this.#onDrained)
  }

  /** Writes what has come together, however little, when a block is held for it. */
  releaseBlocks(): void {
    if (this.#blocks.length > 0 && !this.#writing && !this.#failed) this.#write()
  }

  /** Resolves when all is written, or nothing more will be. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = resolve
      this.pump()
    })
  }

  #gather(part: readonly Uint8Array[]): void {
    if (this.#padding !== undefined) {
      const start = this.#entry.position + this.#bytes
      const end = part.reduce((at, chunk) => at + chunk.length, start)
      const padding = this.#padding(start, end)
      if (padding !== undefined) this.#gather([padding])
    }
    for (const chunk of part) {
      this.#chunks.push(chunk)
      this.#bytes += chunk.length
    }
  }

  #drain(resolve: () => void): void {
    if (this.#pieces.length === 0 && this.#chunks.length > 0 && !this.#writing) this.#write()
    if (this.#failed || (this.#pieces.length === 0 && !this.#writing)) resolve()
  }

  #write(): void {
    const chunks = this.#chunks
    const held = [...this.#held, ...this.#blocks]
    this.#chunks = []
    this.#held = []
    this.#blocks = []
    this.#bytes = 0
    const release = (): void => {
      for (const thing of held) thing.release()
    }
    try {
      const writing = this.#entry.write(chunks)
      if (writing === undefined) return release()
      this.#writing = true
      writing.then(
        () => {
          this.#writing = false
          release()
          this.#events.onWritten()
        },
        (error: unknown) => this.#fail(error),
      )
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#writing = false
    this.#failed = true
    this.#events.onError(error)
    this.#onDrained?.()
  }
}
