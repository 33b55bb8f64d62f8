import type { ZipEntryWriter } from '../../zip/entry-writer.ts'
import type { Block, BlockPool } from '../block-pool.ts'
import { isIncompressible } from '../classify/incompressible.ts'
import { splitZeroRuns } from '../classify/split-zero-runs.ts'
import type { StoringPolicy } from '../storing-policy.ts'
import type { Codec } from './codec.ts'
import { Crc } from './crc.ts'
import { Lanes } from './lanes.ts'
import { OrderedOutput, type Piece } from './ordered-output.ts'

export interface EncoderOptions {
  readonly lanes: number
  readonly blockBytes: number
  readonly stores: StoringPolicy
  /** Called once: nothing more is written. */
  readonly onError: (error: unknown) => void
}

/** A zero run is written out when it gets this long, so that no list grows with it. */
const MAX_ZEROS = 64 * 1024 * 1024
/** More parts than this behind one that is late: then blocks are held, and the reading waits. */
const MAX_QUEUED = 64

/** Turns blocks into the compressed data of one entry: each part of a block in the way that suits it. */
export class Encoder {
  readonly crc: Crc = new Crc()
  readonly treated = { zeroBytes: 0, storedBytes: 0, compressedBytes: 0 }
  readonly #pool: BlockPool
  readonly #codec: Codec
  readonly #options: EncoderOptions
  readonly #lanes: Lanes
  readonly #output: OrderedOutput
  /** Data on its way through a lane, by its place. */
  readonly #pending = new Map<Piece, { bytes: Uint8Array; block: Block }>()
  #zeros = 0

  constructor(entry: ZipEntryWriter, codec: Codec, pool: BlockPool, options: EncoderOptions) {
    this.#pool = pool
    this.#codec = codec
    this.#options = options
    this.#lanes = new Lanes(codec, options.lanes, options.blockBytes, options.onError)
    this.#output = new OrderedOutput(entry, codec, {
      onWritten: () => this.#settle(),
      onError: options.onError,
    })
  }

  /** Takes over the caller's hold of `block`. */
  push(block: Block): void {
    splitZeroRuns(block, this.#zeros > 0, (start, end, zero) => {
      if (zero) this.#zero(end - start)
      else this.#data(block.buffer.subarray(start, end), block)
    })
    block.release()
    this.#settle()
  }

  /** Resolves when everything is written, or nothing more will be. */
  async finish(): Promise<void> {
    this.#endZeros()
    this.#output.add({ chunks: [this.#codec.tail] })
    await this.#output.drained()
  }

  close(): void {
    this.#lanes.close()
  }

  #zero(length: number): void {
    this.crc.zeros(length)
    this.#zeros += length
    this.treated.zeroBytes += length
    if (this.#zeros >= MAX_ZEROS) this.#endZeros()
  }

  #endZeros(): void {
    if (this.#zeros === 0) return
    for (const part of this.#codec.zeros(this.#zeros)) this.#output.add({ chunks: [part] })
    this.#zeros = 0
  }

  #data(bytes: Buffer, block: Block): void {
    this.#endZeros()
    this.crc.bytes(bytes)
    if (!this.#isStored(bytes)) return this.#compress(bytes, block)
    const piece: Piece = {}
    this.#output.add(piece)
    this.#store(piece, bytes, block)
  }

  #isStored(bytes: Buffer): boolean {
    if (this.#codec.stored === undefined) return false
    return this.#options.stores(this.#lanes.busy) || isIncompressible(bytes)
  }

  #store(piece: Piece, bytes: Uint8Array, block: Block): void {
    block.hold()
    piece.block = block
    piece.chunks = this.#codec.stored?.(bytes) ?? []
    this.treated.storedBytes += bytes.length
  }

  #compress(bytes: Uint8Array, block: Block): void {
    const piece: Piece = {}
    this.#output.add(piece)
    this.#pending.set(piece, { bytes, block })
    block.hold()
    this.#lanes.run(bytes, ({ chunks, held }) => {
      this.#pending.delete(piece)
      if (piece.chunks === undefined) {
        this.treated.compressedBytes += bytes.length
        piece.chunks = chunks
        piece.held = held
        if (this.#output.length > MAX_QUEUED) piece.block = block
        else block.release()
      } else {
        // stored meanwhile
        for (const thing of [...held, block]) thing.release()
      }
      this.#settle()
    })
  }

  /** Writes what is ready; when the reading waits for a block, does what can free one. */
  #settle(): void {
    this.#output.pump()
    if (!this.#pool.exhausted) return
    this.#output.releaseBlocks()
    while (this.#pool.exhausted && this.#storeLate()) {
      this.#output.pump()
      this.#output.releaseBlocks()
    }
  }

  /** Stores what everything waits for, though a lane is at it, if that is what `stores` wants. */
  #storeLate(): boolean {
    const piece = this.#output.head
    const late = piece && this.#pending.get(piece)
    if (late === undefined || this.#codec.stored === undefined) return false
    if (piece?.chunks !== undefined || !this.#options.stores(Infinity)) return false
    this.#store(piece as Piece, late.bytes, late.block)
    return true
  }
}
