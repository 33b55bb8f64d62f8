import { isIngestError } from '../../error.ts'
import type { ZipEntryWriter } from '../../zip/entry-writer.ts'
import { type Checkpoint, Checkpoints, type Plain } from './checkpoints.ts'
import type { Codec } from './codec.ts'
import type { Held } from './part-memory.ts'

/** A place in the output, filled when its bytes are ready. */
export interface Piece {
  chunks?: readonly Uint8Array[]
  /** Output memory, which stays until the bytes are written. */
  held?: readonly Held[]
  /** A block that must stay as well: others may be waiting for it. */
  block?: Held
  /** What it expands to, with those before it that have none; the entry can end behind it. */
  readonly plain?: Plain
}

const WRITE_BYTES = 256 * 1024
/** Of the first one; the next ones double what is there: a disk that is full at once still has a beginning. */
const FIRST_WRITE_BYTES = 32 * 1024
const WRITE_CHUNKS = 512

export interface OutputOptions {
  /** What is given back when the disk is full, so that the rest of the archive has room. */
  readonly spareBytes: number
  /** A write that had to be waited for is done: there may be something to pump, and to release. */
  readonly onWritten: () => void
  /** Called once: nothing more is written. */
  readonly onError: (error: unknown) => void
}

/** Writes pieces in the order of their places, several in one write. */
export class OrderedOutput {
  readonly #entry: ZipEntryWriter
  readonly #codec: Codec
  readonly #options: OutputOptions
  readonly #checkpoints: Checkpoints
  readonly #pieces: Piece[] = []
  #chunks: Uint8Array[] = []
  #bytes = 0
  #held: Held[] = []
  #blocks: Held[] = []
  #writing = false
  #failure: { readonly error: unknown } | undefined
  #onDrained: (() => void) | undefined

  constructor(entry: ZipEntryWriter, codec: Codec, options: OutputOptions) {
    this.#entry = entry
    this.#codec = codec
    this.#options = options
    this.#checkpoints = new Checkpoints(options.spareBytes)
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
    while (!this.#writing && !this.#failure && this.#pieces[0]?.chunks !== undefined) {
      const { chunks, held, block, plain } = this.#pieces.shift() as PieceAtHand
      this.#gather(chunks)
      if (plain !== undefined)
        this.#checkpoints.add(this.#entry.compressedBytes + this.#bytes, plain)
      if (held !== undefined) this.#held.push(...held)
      if (block !== undefined) this.#blocks.push(block)
      if (this.#bytes >= this.#writeBytes || this.#chunks.length >= WRITE_CHUNKS) this.#write()
    }
    if (this.#onDrained !== undefined) this.#drain(this.#onDrained)
  }

  /** Writes what has come together, however little, when a block is held for it. */
  releaseBlocks(): void {
    if (this.#blocks.length > 0 && !this.#writing && !this.#failure) this.#write()
  }

  /**
   * Writes the rest and what ends the data. Resolves with what the entry holds then: everything or,
   * when it failed, the beginning that is in place. Rejects when that cannot be, or is nothing.
   */
  async end(): Promise<Checkpoint> {
    this.add({ chunks: [this.#codec.tail] })
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve
      this.pump()
    })
    return this.#failure === undefined ? this.#checkpoints.last : this.#cut(this.#failure.error)
  }

  /** Nothing more is written. */
  fail(error: unknown): void {
    if (this.#failure === undefined) {
      this.#failure = { error }
      this.#options.onError(error)
    }
    if (this.#onDrained !== undefined) this.#drain(this.#onDrained)
  }

  async #cut(error: unknown): Promise<Checkpoint> {
    const spare = isIngestError(error) && error.code === 'NO_SPACE'
    const checkpoint = this.#checkpoints.inPlace({ spare })
    if (checkpoint.bytes === 0) throw error
    await this.#entry.truncate(checkpoint.compressedBytes)
    this.#chunks = []
    this.#bytes = 0
    this.#gather([this.#codec.tail])
    await this.#entry.write(this.#chunks)
    return checkpoint
  }

  get #writeBytes(): number {
    return Math.min(Math.max(FIRST_WRITE_BYTES, this.#entry.compressedBytes), WRITE_BYTES)
  }

  #gather(part: readonly Uint8Array[]): void {
    const { padding: paddingOf } = this.#codec
    if (paddingOf !== undefined) {
      const start = this.#entry.position + this.#bytes
      const end = part.reduce((at, chunk) => at + chunk.length, start)
      const padding = paddingOf(start, end)
      if (padding !== undefined) this.#gather([padding])
    }
    for (const chunk of part) {
      this.#chunks.push(chunk)
      this.#bytes += chunk.length
    }
  }

  #drain(resolve: () => void): void {
    if (this.#writing) return
    if (this.#failure !== undefined) return resolve()
    if (this.#pieces.length === 0 && this.#chunks.length > 0) this.#write()
    if (this.#failure || (this.#pieces.length === 0 && !this.#writing)) resolve()
  }

  #write(): void {
    const chunks = this.#chunks
    const held = [...this.#held, ...this.#blocks]
    this.#chunks = []
    this.#held = []
    this.#blocks = []
    this.#bytes = 0
    const written = (): void => {
      this.#checkpoints.written(this.#entry.compressedBytes)
      for (const thing of held) thing.release()
    }
    try {
      const writing = this.#entry.write(chunks)
      if (writing === undefined) return written()
      this.#writing = true
      writing.then(
        () => {
          this.#writing = false
          written()
          this.#options.onWritten()
        },
        (error: unknown) => {
          this.#writing = false
          this.fail(error)
        },
      )
    } catch (error) {
      this.fail(error)
    }
  }
}

type PieceAtHand = Piece & Required<Pick<Piece, 'chunks'>>
