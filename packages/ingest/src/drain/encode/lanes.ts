import { readdirSync, readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Codec } from './codec.ts'
import type { Compressor, CompressorOptions, Part } from './compressor.ts'

export interface Job {
  readonly bytes: Uint8Array
  readonly done: (part: Part) => void
}

export interface LanesOptions extends CompressorOptions {
  readonly lanes: number
  readonly laneNice: number
}

/** Jobs after which a core is large; changing priorities takes half a millisecond, too long for a small one. */
const LARGE_AFTER_JOBS = 64

/** A fixed number of compressors working side by side on libuv's threads; jobs beyond that wait in order. */
export class Lanes {
  readonly #codec: Codec
  readonly #options: LanesOptions
  readonly #idle: Compressor[] = []
  readonly #all: Compressor[] = []
  readonly #waiting: Job[] = []
  #started = 0

  constructor(codec: Codec, options: LanesOptions) {
    this.#codec = codec
    this.#options = options
  }

  /** Jobs in progress. */
  get busy(): number {
    return this.#all.length - this.#idle.length
  }

  /** Compresses `bytes`, which must not change before `done` is called with the output. */
  run(bytes: Uint8Array, done: Job['done']): Job {
    const job = { bytes, done }
    const lane = this.#idle.pop() ?? this.#open()
    if (lane === undefined) this.#waiting.push(job)
    else this.#start(lane, job)
    return job
  }

  /** False for a job that has begun: its lane uses the bytes. */
  cancel(job: Job): boolean {
    const index = this.#waiting.indexOf(job)
    if (index >= 0) this.#waiting.splice(index, 1)
    return index >= 0
  }

  close(): void {
    for (const compressor of this.#all) compressor.close()
  }

  #open(): Compressor | undefined {
    if (this.#all.length === this.#options.lanes) return undefined
    const compressor = this.#codec.compressor(this.#options)
    this.#all.push(compressor)
    return compressor
  }

  #start(compressor: Compressor, { bytes, done }: Job): void {
    const { laneNice } = this.#options
    if (++this.#started === LARGE_AFTER_JOBS && laneNice > 0) lowerPoolThreads(laneNice)
    compressor.run(bytes, (part) => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#idle.push(compressor)
      else this.#start(compressor, next)
      done(part)
    })
  }
}

/** The name of libuv's pool threads; proc_pid_comm(5). */
const POOL_THREAD = 'libuv-worker\n'
const TASKS = '/proc/self/task'

/**
 * Gives the existing threads of libuv's pool that nice value, if their name is known. On Linux each
 * thread has its own priority, although nice(2) describes processes.
 */
function lowerPoolThreads(nice: number): void {
  try {
    for (const thread of readdirSync(TASKS)) {
      if (readFileSync(`${TASKS}/${thread}/comm`, 'latin1') !== POOL_THREAD) continue
      setPriority(Number(thread), nice)
    }
  } catch {
    // no /proc, or a lower priority already: never a reason to fail
  }
}
