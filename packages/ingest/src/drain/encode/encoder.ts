import type { ZipEntryWriter } from '../../zip/entry-writer.ts'
import type { Block, BlockPool } from '../block-pool.ts'
import type { StoringPolicy } from '../settings.ts'
import type { Checkpoint, Plain } from './checkpoints.ts'
import { splitIncompressible, splitZeroRuns } from './classify.ts'
import type { EngineChoice } from '../engine/engine.ts'
import type { Codec } from './codec.ts'
import { Crc } from './crc.ts'
import { Lanes, type Job } from './lanes.ts'
import { OrderedOutput, type Piece } from './ordered-output.ts'

export interface EncoderOptions {
  readonly writesOnPool: () => boolean
  readonly engine: EngineChoice
  readonly lanes: number
  readonly laneNice: number
  readonly blockBytes: number
  readonly spareBytes: number
  readonly stores: StoringPolicy
  /** Milliseconds until `stores` can change its answer without a new block; undefined for never. */
  readonly storesAfterMs: number | undefined
  /** Called once: nothing more is written. */
  readonly onError: (error: unknown) => void
}

/** A zero run is written out when it gets this long, so that no list grows with it. */
const MAX_ZEROS = 64 * 1024 * 1024
/** With more queued parts, blocks are retained until they are written, and the reading waits. */
const MAX_QUEUED = 64
/** Blocks more for data that is stored: they are in use until they are written. */
const STORED_BLOCKS = 16

/** Turns blocks into the compressed data of one entry; zeros, random bytes and the rest each in their own way. */
export class Encoder {
  readonly #crc: Crc
  readonly #pool: BlockPool
  readonly #codec: Codec
  readonly #options: EncoderOptions
  readonly #lanes: Lanes
  readonly #output: OrderedOutput
  /** Data that is in a lane or waits for one, by its piece. */
  readonly #pending = new Map<Piece, { bytes: Uint8Array; block: Block; job: Job }>()
  #zeros = 0
  #stored = false
  readonly #budgetTimer: NodeJS.Timeout | undefined

  constructor(entry: ZipEntryWriter, codec: Codec, pool: BlockPool, options: EncoderOptions) {
    this.#crc = new Crc((bytes, value) => options.engine.chosen.crc32(bytes, value))
    this.#pool = pool
    this.#codec = codec
    this.#options = options
    const failed = (error: unknown): void => this.#output.fail(error)
    this.#lanes = new Lanes(codec, { ...options, onError: failed })
    this.#output = new OrderedOutput(entry, codec, {
      spareBytes: options.spareBytes,
      writesOnPool: options.writesOnPool,
      onWritten: () => this.#settle(),
      onError: options.onError,
    })
    // when every lane hangs and every block is full, nothing else calls it
    const { storesAfterMs } = options
    if (storesAfterMs !== undefined) {
      this.#budgetTimer = setTimeout(() => this.#settle(), storesAfterMs)
    }
  }

  /** Encodes `block`, and releases it. */
  push(block: Block): void {
    splitZeroRuns(block, this.#zeros > 0, (start, end, zero) => {
      if (zero) this.#zero(end - start)
      else this.#data(block.buffer.subarray(start, end), block)
    })
    block.release()
    this.#settle()
  }

  /** Resolves with what the entry holds: everything or, after a failure, the beginning that was written. */
  finish(): Promise<Checkpoint> {
    this.#endZeros()
    return this.#output.end()
  }

  close(): void {
    clearTimeout(this.#budgetTimer)
    this.#lanes.close()
  }

  #zero(length: number): void {
    this.#crc.addZeros(length)
    this.#zeros += length
    if (this.#zeros >= MAX_ZEROS) this.#endZeros()
  }

  #endZeros(): void {
    if (this.#zeros === 0) return
    const plain = this.#plain(this.#zeros, 'zeroBytes')
    const parts = this.#codec.zeros(this.#zeros)
    for (const [i, part] of parts.entries()) {
      // the CRC is known at the end of the run
      this.#output.add({ chunks: [part], ...(i === parts.length - 1 && { plain }) })
    }
    this.#zeros = 0
  }

  #data(bytes: Buffer, block: Block): void {
    this.#endZeros()
    if (this.#codec.stored === undefined) return this.#part(bytes, block, false)
    if (this.#options.stores(this.#lanes.busy)) return this.#part(bytes, block, true)
    splitIncompressible(bytes, (start, end, incompressible) =>
      this.#part(bytes.subarray(start, end), block, incompressible),
    )
  }

  #part(bytes: Buffer, block: Block, stored: boolean): void {
    this.#crc.addBytes(bytes)
    const piece: Piece = { plain: this.#plain(bytes.length, 'compressedBytes') }
    this.#output.add(piece)
    if (stored) this.#store(piece, bytes, block)
    else this.#compress(piece, bytes, block)
  }

  #plain(bytes: number, treated: Plain['treated']): Plain {
    return { bytes, crc32: this.#crc.value, treated }
  }

  #store(piece: Piece, bytes: Uint8Array, block: Block): void {
    if (!this.#stored) this.#pool.grow(STORED_BLOCKS)
    this.#stored = true
    block.retain()
    piece.block = block
    piece.chunks = this.#codec.stored?.(bytes) ?? []
    if (piece.plain !== undefined) piece.plain.treated = 'storedBytes'
  }

  #compress(piece: Piece, bytes: Uint8Array, block: Block): void {
    block.retain()
    const job = this.#lanes.run(bytes, ({ chunks, memory, isInput }) => {
      this.#pending.delete(piece)
      if (piece.chunks === undefined) {
        piece.chunks = chunks
        piece.memory = memory
        if (isInput === true && piece.plain !== undefined) piece.plain.treated = 'storedBytes'
        if (isInput === true || this.#output.length > MAX_QUEUED) piece.block = block
        else block.release()
      } else {
        // stored in the meantime
        for (const each of [...memory, block]) each.release()
      }
      this.#settle()
    })
    this.#pending.set(piece, { bytes, block, job })
  }

  /** Writes what is ready; when the reading waits for a block, frees blocks if that is possible. */
  #settle(): void {
    this.#output.pump()
    if (!this.#pool.exhausted) return
    this.#output.releaseBlocks()
    while (this.#pool.exhausted && this.#storeFirst()) {
      this.#output.pump()
      this.#output.releaseBlocks()
    }
  }

  /** Stores the data that all output waits for, although a lane has it, if the policy allows. */
  #storeFirst(): boolean {
    const piece = this.#output.first
    if (piece === undefined || piece.chunks !== undefined) return false
    const pending = this.#pending.get(piece)
    if (pending === undefined || this.#codec.stored === undefined) return false
    if (!this.#options.stores(Infinity)) return false
    this.#store(piece, pending.bytes, pending.block)
    if (this.#lanes.cancel(pending.job)) {
      this.#pending.delete(piece)
      pending.block.release()
    }
    return true
  }
}
