import { isNoSpace } from '../../error.ts'
import type { ZipEntryWriter } from '../../zip/entry-writer.ts'
import { Checkpoints, type Checkpoint, type Plain } from './checkpoints.ts'
import type { Codec } from './codec.ts'
import type { Releasable } from './part-memory.ts'

/** A place in the output; it has `chunks` once its bytes are ready. */
export interface Piece {
  chunks?: readonly Uint8Array[]
  /** Memory of the chunks, released once they are written. */
  memory?: readonly Releasable[]
  /** A block released once the chunks are written; the reading may wait for it. */
  block?: Releasable
  /** What it expands to, with the pieces before it that have none; the entry can end after it. */
  readonly plain?: Plain
}

const WRITE_BYTES = 256 * 1024
/** A write on another thread costs two switches of threads: it grows to this, an eighth of what is written. */
const POOL_WRITE_BYTES = 512 * 1024
/** The first write is small and the next ones double: a disk that is soon full still gets a beginning. */
const FIRST_WRITE_BYTES = 32 * 1024
const WRITE_CHUNKS = 512

export interface OutputOptions {
  /** Asked before the first write: whether a disk that hangs must not stop timers and signals. */
  readonly writesOnPool: () => boolean
  /** Bytes given back on a full disk, as room for the rest of the archive. */
  readonly spareBytes: number
  /** An asynchronous write is done: there may be something to write, and to release. */
  readonly onWritten: () => void
  /** Called once: nothing more is written. */
  readonly onError: (error: unknown) => void
}

/** Writes pieces in their order, several in one write; one write at a time. */
export class OrderedOutput {
  readonly #entry: ZipEntryWriter
  readonly #codec: Codec
  readonly #options: OutputOptions
  readonly #checkpoints: Checkpoints
  readonly #pieces: Piece[] = []
  #chunks: Uint8Array[] = []
  #bytes = 0
  #memory: Releasable[] = []
  #blocks: Releasable[] = []
  #writing = false
  #onPool: boolean | undefined
  #failure: { readonly error: unknown } | undefined
  #onEnd: (() => void) | undefined

  constructor(entry: ZipEntryWriter, codec: Codec, options: OutputOptions) {
    this.#entry = entry
    this.#codec = codec
    this.#options = options
    this.#checkpoints = new Checkpoints(options.spareBytes)
  }

  /** The piece that all others wait for. */
  get first(): Piece | undefined {
    return this.#pieces[0]
  }

  /** Pieces not yet written. */
  get length(): number {
    return this.#pieces.length
  }

  add(piece: Piece): void {
    this.#pieces.push(piece)
  }

  /** Gathers what is ready, also while a write is in progress; writes once there is enough. */
  pump(): void {
    while (!this.#failure) {
      if (this.#isEnough) {
        if (this.#writing) break
        this.#write()
        continue
      }
      const { chunks, memory, block, plain } = this.first ?? {}
      if (chunks === undefined) break
      this.#pieces.shift()
      this.#gather(chunks)
      if (plain !== undefined)
        this.#checkpoints.add(this.#entry.compressedBytes + this.#bytes, plain)
      if (memory !== undefined) this.#memory.push(...memory)
      if (block !== undefined) this.#blocks.push(block)
    }
    if (this.#onEnd !== undefined) this.#tryEnd(this.#onEnd)
  }

  /** Writes what is gathered, however little, when a block waits for it. */
  releaseBlocks(): void {
    if (this.#blocks.length > 0 && !this.#writing && !this.#failure) this.#write()
  }

  /**
   * Writes the rest and the end of the data. Resolves with what the entry holds then: everything or,
   * after a failure, the beginning that was written. Rejects when nothing can be kept.
   */
  async end(): Promise<Checkpoint> {
    this.add({ chunks: [this.#codec.tail] })
    await new Promise<void>((resolve) => {
      this.#onEnd = resolve
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
    if (this.#onEnd !== undefined) this.#tryEnd(this.#onEnd)
  }

  async #cut(error: unknown): Promise<Checkpoint> {
    const checkpoint = this.#checkpoints.lastWritten({ spare: isNoSpace(error) })
    if (checkpoint.bytes === 0) throw error
    await this.#entry.truncate(checkpoint.compressedBytes)
    this.#chunks = []
    this.#bytes = 0
    this.#gather([this.#codec.tail])
    await this.#entry.write(this.#chunks)
    return checkpoint
  }

  get #isEnough(): boolean {
    return this.#bytes >= this.#writeBytes || this.#chunks.length >= WRITE_CHUNKS
  }

  get #writeBytes(): number {
    const { compressedBytes } = this.#entry
    const most = this.#onPool === true ? Math.min(compressedBytes / 8, POOL_WRITE_BYTES) : 0
    return Math.min(Math.max(FIRST_WRITE_BYTES, compressedBytes), Math.max(WRITE_BYTES, most))
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

  #tryEnd(resolve: () => void): void {
    if (this.#writing) return
    if (this.#failure !== undefined) return resolve()
    if (this.#pieces.length === 0 && this.#chunks.length > 0) this.#write()
    if (this.#failure || (this.#pieces.length === 0 && !this.#writing)) resolve()
  }

  #write(): void {
    const chunks = this.#chunks
    const used = [...this.#memory, ...this.#blocks]
    this.#chunks = []
    this.#memory = []
    this.#blocks = []
    this.#bytes = 0
    const written = (): void => {
      this.#checkpoints.written(this.#entry.compressedBytes)
      for (const each of used) each.release()
    }
    try {
      this.#onPool ??= this.#options.writesOnPool()
      const writing = this.#entry.write(chunks, { onPool: this.#onPool })
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
