import type { Transform } from 'node:stream'
import type { Codec } from './codec.ts'
import { lowerPoolThreads } from './lower-pool-threads.ts'
import { PartMemory, type Held } from './part-memory.ts'

/** What a job became: its bytes, and the memory they are in. */
export interface Part {
  readonly chunks: readonly Uint8Array[]
  readonly held: readonly Held[]
}

interface Job {
  readonly bytes: Uint8Array
  readonly done: (part: Part) => void
}

interface Lane {
  readonly compressor: Transform
  /** What has come out for the job under way. */
  chunks: Uint8Array[]
  held: Held[]
}

export interface LanesOptions {
  readonly lanes: number
  readonly laneNice: number
  readonly blockBytes: number
  readonly onError: (error: Error) => void
}

/** Jobs after which a core is large: a small one is not worth the half millisecond. */
const LARGE_AFTER_JOBS = 64
/** A part of a block that cannot be made smaller still fits one buffer. */
const OVERHEAD = 4096

/** A fixed number of compressors working side by side on libuv's threads; jobs beyond that wait in order. */
export class Lanes {
  readonly #codec: Codec
  readonly #options: LanesOptions
  readonly #chunkBytes: number
  readonly #idle: Lane[] = []
  readonly #all: Lane[] = []
  readonly #waiting: Job[] = []
  #started = 0

  constructor(codec: Codec, options: LanesOptions) {
    this.#codec = codec
    this.#options = options
    this.#chunkBytes = Math.max(options.blockBytes + OVERHEAD, Buffer.poolSize)
  }

  /** Jobs under way. */
  get busy(): number {
    return this.#all.length - this.#idle.length
  }

  /** Compresses `bytes`, which must not change before `done` is called with the part they became. */
  run(bytes: Uint8Array, done: Job['done']): void {
    const job = { bytes, done }
    const lane = this.#idle.pop() ?? this.#open()
    if (lane === undefined) this.#waiting.push(job)
    else this.#start(lane, job)
  }

  close(): void {
    for (const { compressor } of this.#all) compressor.destroy()
  }

  #open(): Lane | undefined {
    if (this.#all.length === this.#options.lanes) return undefined
    const compressor = this.#codec.compressor(this.#chunkBytes)
    const memory = new PartMemory(this.#chunkBytes)
    const lane: Lane = { compressor, chunks: [], held: [] }
    compressor.on('error', this.#options.onError)
    compressor.on('data', (chunk: Uint8Array) => {
      lane.chunks.push(chunk)
      lane.held.push(memory.hold(chunk))
    })
    this.#all.push(lane)
    return lane
  }

  #start(lane: Lane, { bytes, done }: Job): void {
    const { laneNice } = this.#options
    if (++this.#started === LARGE_AFTER_JOBS && laneNice > 0) lowerPoolThreads(laneNice)
    lane.compressor.write(bytes, (error) => {
      if (error) return
      // a chunk may be handed out as late as in the next tick
      setImmediate(() => {
        const { chunks, held } = lane
        lane.chunks = []
        lane.held = []
        const next = this.#waiting.shift()
        if (next === undefined) this.#idle.push(lane)
        else this.#start(lane, next)
        done({ chunks, held })
      })
    })
  }
}
