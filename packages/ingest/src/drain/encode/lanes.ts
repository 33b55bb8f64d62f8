import type { Transform } from 'node:stream'
import type { Codec } from './codec.ts'

interface Job {
  readonly bytes: Uint8Array
  readonly done: (part: readonly Uint8Array[]) => void
}

/** A fixed number of compressors working side by side on libuv's threads; jobs beyond that wait in order. */
export class Lanes {
  readonly #codec: Codec
  readonly #limit: number
  readonly #onError: (error: Error) => void
  readonly #idle: Transform[] = []
  readonly #all: Transform[] = []
  readonly #waiting: Job[] = []

  constructor(codec: Codec, limit: number, onError: (error: Error) => void) {
    this.#codec = codec
    this.#limit = limit
    this.#onError = onError
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
    for (const lane of this.#all) lane.destroy()
  }

  #open(): Transform | undefined {
    if (this.#all.length === this.#limit) return undefined
    const lane = this.#codec.compressor()
    lane.on('error', this.#onError)
    this.#all.push(lane)
    return lane
  }

  #start(lane: Transform, { bytes, done }: Job): void {
    const part: Uint8Array[] = []
    const collect = (chunk: Uint8Array): void => void part.push(chunk)
    lane.on('data', collect)
    lane.write(bytes, (error) => {
      if (error) return
      // not before the chunks of this write have all been handed out
      setImmediate(() => {
        lane.off('data', collect)
        const next = this.#waiting.shift()
        if (next === undefined) this.#idle.push(lane)
        else this.#start(lane, next)
        done(part)
      })
    })
  }
}
