import { join, resolve } from 'node:path'
import type { Destination } from '../destination.ts'
import { isUploadError, UploadError } from '../error.ts'
import { show } from '../text.ts'
import { Backlog } from './backlog.ts'
import type { Item } from './backlog.ts'
import { backoff } from './backoff.ts'
import { DirectoryWatch } from './directory-watch.ts'
import { listByAge } from './list.ts'
import type {
  QueueEvent,
  QueueOptions,
  QueueStats,
  RunOptions,
  SweepOptions,
  SweepResult,
  WaitingFile,
} from './options.ts'
import { Pause } from './pause.ts'
import { Scanner } from './scanner.ts'
import { Sender } from './sender.ts'

const MIN_DELAY_MS = 1000
const MAX_DELAY_MS = 300_000
const RESCAN_MS = 30_000
/** setTimeout takes no more than 2^31 - 1. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** Uploads the finished bundles (`*.zip`) of one directory to a destination and deletes what it has confirmed. */
export class UploadQueue {
  readonly #directory: string
  readonly #concurrency: number
  readonly #delays: { readonly minDelayMs: number; readonly maxDelayMs: number }
  readonly #onEvent: (event: QueueEvent) => void
  readonly #defer: (file: WaitingFile) => number
  readonly #backlog = new Backlog()
  readonly #timer = new WakeUpTimer()
  readonly #pause: Pause
  readonly #scanner: Scanner
  readonly #sender: Sender
  readonly #active = new Set<Promise<void>>()
  #running = false

  constructor(directory: string, destination: Destination, options: QueueOptions = {}) {
    const { concurrency = 2, minDelayMs = MIN_DELAY_MS, maxDelayMs = MAX_DELAY_MS } = options
    atLeastOne('concurrency', concurrency)
    atLeastOne('minDelayMs', minDelayMs)
    this.#directory = resolve(directory)
    this.#concurrency = concurrency
    this.#delays = { minDelayMs, maxDelayMs: Math.max(minDelayMs, maxDelayMs) }
    this.#onEvent = options.onEvent ?? (() => {})
    this.#defer = options.defer ?? (() => 0)
    this.#pause = new Pause(this.#delays)
    this.#scanner = new Scanner(this.#directory, destination, this.#backlog, this.#onEvent)
    this.#sender = new Sender(destination, options, this.#onEvent)
  }

  /** Upload until the signal is aborted; resolves then. Rejects only when the queue is running already. */
  async run({ signal, watch = true, rescanMs = RESCAN_MS }: RunOptions): Promise<void> {
    if (this.#running) throw new UploadError('INVALID', 'This queue is running already')
    this.#running = true
    using watcher = new DirectoryWatch(this.#directory, this.wake, (cause) =>
      this.#watchFailed(cause),
    )
    try {
      this.#scanner.request()
      while (!signal.aborted) {
        if (this.#scanner.due(performance.now(), rescanMs)) {
          // before the scan, so that what is finished during it is not missed
          if (watch) await watcher.refresh()
          await this.#scanner.scan(signal)
        }
        this.#startAll(signal)
        await this.#timer.sleep(this.#nextTime(rescanMs) - performance.now(), signal)
      }
    } finally {
      await Promise.allSettled([...this.#active, this.#scanner.settled()])
      this.#running = false
    }
  }

  /** Scan the directory soon; cheap, call it for every reason. */
  readonly wake = (): void => {
    this.#scanner.request()
    this.#timer.wake()
  }

  /** This file of the directory has been replaced, or is no longer deferred: examine it again, soon. */
  refresh(name: string): void {
    this.#scanner.forget(name)
    this.wake()
  }

  /** Try each bundle once, now. Rejects only when the directory cannot be read. */
  async sweep({ signal, files }: SweepOptions = {}): Promise<SweepResult> {
    const paths = files ?? (await listByAge(this.#directory))
    return this.#sender.sweep(paths, this.#concurrency, signal)
  }

  /** What waited at the last scan of the directory and is not stored yet. */
  stats(): QueueStats {
    let files = 0
    let bytes = 0
    let failing = 0
    let oldestMtimeMs = Infinity
    for (const item of this.#backlog) {
      files++
      bytes += item.bytes
      if (item.failures > 0) failing++
      oldestMtimeMs = Math.min(oldestMtimeMs, item.mtimeMs)
    }
    const oldest = files === 0 ? {} : { oldestMtimeMs }
    return { files, bytes, active: this.#active.size, failing, ...oldest, paused: this.#pause.on }
  }

  #startAll(signal: AbortSignal): void {
    while (this.#active.size < this.#pause.limit(performance.now(), this.#concurrency)) {
      const item = this.#backlog.next(performance.now())
      if (!item) return
      const deferMs = this.#defer(item)
      if (deferMs > 0) {
        this.#putBack(item, deferMs)
        continue
      }
      const work = this.#upload(item, signal).finally(() => {
        this.#active.delete(work)
        this.#timer.wake()
      })
      this.#active.add(work)
    }
  }

  async #upload(item: Item, signal: AbortSignal): Promise<void> {
    const file = join(this.#directory, item.name)
    try {
      const result = await this.#sender.send(file, signal, item.skips === 0)
      const isStored = result === 'stored' || result === 'undeletable' || result === 'replaced'
      if (isStored) this.#resume(this.#pause.stored())
      if (result === 'locked') this.#putBack(item, this.#wait(++item.skips))
      else if (result === 'undeletable') this.#putBack(item, this.#delays.maxDelayMs)
      else {
        this.#backlog.remove(item)
        // another file may have got the name meanwhile
        if (result === 'replaced') this.#scanner.request()
      }
    } catch (error) {
      if (!isUploadError(error)) throw error
      this.#failed(item, file, error, signal)
    }
  }

  #failed(item: Item, file: string, error: UploadError, signal: AbortSignal): void {
    if (signal.aborted) {
      this.#putBack(item, 0)
      return
    }
    const attempt = ++item.failures
    const verdict = this.#pause.failed(item, error, performance.now())
    if (verdict.scope === 'file') {
      // rights are given, and keys replaced, while we run
      const passes = error.retryable || error.scope === 'destination' || error.code === 'DENIED'
      const retryInMs = passes ? this.#wait(attempt) : this.#delays.maxDelayMs
      this.#putBack(item, retryInMs)
      this.#onEvent({ type: 'failed', file, error, attempt, retryInMs })
      this.#resume(verdict.released)
      return
    }
    // not the file's fault: it is tried again when the destination is
    const { retryInMs, isNews } = verdict
    this.#putBack(item, retryInMs)
    this.#onEvent({ type: 'failed', file, error, ofDestination: true, attempt, retryInMs })
    if (isNews) this.#onEvent({ type: 'paused', error, retryInMs })
  }

  /** The destination answers again; `released` is undefined if it was not paused. */
  #resume(released: readonly string[] | undefined): void {
    if (!released) return
    for (const name of released) this.#backlog.release(name)
    this.#onEvent({ type: 'resumed' })
  }

  #putBack(item: Item, delayMs: number): void {
    this.#backlog.putBack(item, performance.now() + delayMs)
  }

  #wait(failures: number): number {
    return backoff(failures, this.#delays)
  }

  #nextTime(rescanMs: number): number {
    const scan = this.#scanner.nextTime(rescanMs)
    const from = this.#pause.nextTime
    if (this.#active.size >= this.#pause.limit(from, this.#concurrency)) return scan
    const send = Math.max(this.#backlog.nextTime(), from)
    return Math.min(scan, send)
  }

  #watchFailed(cause: unknown): void {
    const message = `Cannot watch ${show(this.#directory)}: it is read on a timer alone`
    this.#onEvent({ type: 'warning', code: 'WATCH', message, cause })
  }
}

function atLeastOne(option: string, value: number): void {
  if (value >= 1) return
  throw new UploadError('INVALID', `\`${option}\`: expected at least 1, got ${value}`)
}

/** A sleep that can be ended early; a wake-up that comes while no one sleeps ends the next sleep. */
class WakeUpTimer {
  #isDue = false
  #wake: (() => void) | undefined

  /** End the sleep, or the next one. */
  wake(): void {
    this.#isDue = true
    this.#wake?.()
  }

  /** Sleep until `wake()`, for `ms` (without end: `Infinity`) or until the signal aborts. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isDue && !signal.aborted && ms > 0) {
      const sleep = Promise.withResolvers<void>()
      const wake = (): void => sleep.resolve()
      this.#wake = wake
      signal.addEventListener('abort', wake, { once: true })
      const timer = Number.isFinite(ms) ? setTimeout(wake, Math.min(ms, MAX_TIMEOUT_MS)) : undefined
      await sleep.promise
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      this.#wake = undefined
    }
    this.#isDue = false
  }
}
