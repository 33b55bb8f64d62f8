import { join, resolve } from 'node:path'
import type { Destination } from '../destination.ts'
import { fromFileError } from '../errno.ts'
import { UploadError, isUploadError } from '../error.ts'
import { show } from '../show.ts'
import { Alarm } from './alarm.ts'
import { backoff } from './backoff.ts'
import { Backlog, type Item } from './backlog.ts'
import { DirectoryWatch } from './directory-watch.ts'
import type { QueueEvent, QueueStats, SweepResult } from './events.ts'
import { list, measure } from './list.ts'
import type { QueueOptions, RunOptions, SweepOptions, WaitingFile } from './options.ts'
import { Pause } from './pause.ts'
import { Scanner } from './scanner.ts'
import { Sender } from './sender.ts'
import { sweepFiles } from './sweep.ts'

const MIN_DELAY_MS = 1000
const MAX_DELAY_MS = 300_000
const RESCAN_MS = 30_000

/** Carries the finished bundles (`*.zip`) of one directory to a destination and deletes what it has confirmed. */
export class UploadQueue {
  readonly #directory: string
  readonly #concurrency: number
  readonly #delays: { readonly minDelayMs: number; readonly maxDelayMs: number }
  readonly #onEvent: (event: QueueEvent) => void
  readonly #holdBack: (file: WaitingFile) => number
  readonly #backlog = new Backlog()
  readonly #alarm = new Alarm()
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
    this.#holdBack = options.holdBack ?? (() => 0)
    this.#pause = new Pause(this.#delays)
    this.#scanner = new Scanner(this.#directory, destination, this.#backlog, this.#onEvent)
    this.#sender = new Sender(destination, options, this.#onEvent)
  }

  /** Carry until the signal is aborted; resolves then. Rejects only when called twice at once. */
  async run({ signal, watch = true, rescanMs = RESCAN_MS }: RunOptions): Promise<void> {
    if (this.#running) throw new UploadError('INVALID', 'This queue is running already')
    this.#running = true
    using watcher = new DirectoryWatch(this.#directory, this.wake, (cause) => this.#deaf(cause))
    try {
      this.#scanner.ask()
      while (!signal.aborted) {
        if (this.#scanner.due(performance.now(), rescanMs)) {
          // before the scan: what is finished during it is not missed
          if (watch) await watcher.refresh()
          await this.#scanner.scan(signal)
        }
        this.#startAll(signal)
        await this.#alarm.wait(this.#nextTime(rescanMs) - performance.now(), signal)
      }
    } finally {
      await Promise.allSettled([...this.#active, this.#scanner.settled()])
      this.#running = false
    }
  }

  /** Look at the directory soon; cheap, call it for every reason there is. */
  readonly wake = (): void => {
    this.#scanner.ask()
    this.#alarm.ring()
  }

  /** This file of the directory is another one now, or no longer held back: look at it anew, soon. */
  refresh(name: string): void {
    this.#scanner.forget(name)
    this.wake()
  }

  /** Try each bundle once, now, and tell how it went. Rejects only when the directory cannot be read. */
  async sweep({ signal, files }: SweepOptions = {}): Promise<SweepResult> {
    const paths = files ?? (await this.#byAge())
    return sweepFiles(paths, this.#concurrency, (file) => this.#sender.once(file, signal), signal)
  }

  /** What waits since the last look at the directory. */
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
      const holdMs = this.#holdBack(item)
      if (holdMs > 0) {
        this.#putBack(item, holdMs)
        continue
      }
      const work = this.#carry(item, signal).finally(() => {
        this.#active.delete(work)
        this.#alarm.ring()
      })
      this.#active.add(work)
    }
  }

  async #carry(item: Item, signal: AbortSignal): Promise<void> {
    const file = join(this.#directory, item.name)
    try {
      const result = await this.#sender.send(file, signal, item.skips === 0)
      if (result === 'stored' || result === 'stuck') this.#answers()
      if (result === 'locked') this.#putBack(item, this.#wait(++item.skips))
      else if (result === 'stuck') this.#putBack(item, this.#delays.maxDelayMs)
      else {
        this.#backlog.remove(item)
        // another file may have got the name meanwhile
        if (result === 'replaced') this.#scanner.ask()
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
    let retryInMs = error.retryable ? this.#wait(attempt) : this.#delays.maxDelayMs
    if (error.scope === 'destination') {
      // not the file's fault: its next turn is the destination's
      const before = this.#pause.until
      retryInMs = this.#pause.failed(performance.now(), error.retryable)
      if (this.#pause.until !== before) this.#onEvent({ type: 'paused', error, retryInMs })
    } else if (error.httpStatus !== undefined) this.#answers()
    this.#putBack(item, retryInMs)
    this.#onEvent({ type: 'failed', file, error, attempt, retryInMs })
  }

  #answers(): void {
    if (this.#pause.over()) this.#onEvent({ type: 'resumed' })
  }

  #putBack(item: Item, delayMs: number): void {
    this.#backlog.putBack(item, performance.now() + delayMs)
  }

  #wait(failures: number): number {
    return backoff(failures, this.#delays)
  }

  #nextTime(rescanMs: number): number {
    const scan = this.#scanner.nextTime(rescanMs)
    if (this.#active.size >= this.#pause.limit(this.#pause.until, this.#concurrency)) return scan
    const turn = Math.max(this.#backlog.nextTime(), this.#pause.on ? this.#pause.until : 0)
    return Math.min(scan, turn)
  }

  async #byAge(): Promise<string[]> {
    const { bundles } = await list(this.#directory).catch((cause: unknown) => {
      throw fromFileError('source', 'read the directory', this.#directory, cause)
    })
    const ages = await Promise.all(
      bundles.map(async (name) => [name, await measure(this.#directory, name)] as const),
    )
    return ages
      .toSorted(([, a], [, b]) => (a?.mtimeMs ?? 0) - (b?.mtimeMs ?? 0))
      .map(([name]) => join(this.#directory, name))
  }

  #deaf(cause: unknown): void {
    const message = `Cannot watch ${show(this.#directory)}: it is looked at by the clock alone`
    this.#onEvent({ type: 'problem', code: 'WATCH', message, cause })
  }
}

function atLeastOne(option: string, value: number): void {
  if (value >= 1) return
  throw new UploadError('INVALID', `\`${option}\`: expected at least 1, got ${value}`)
}
