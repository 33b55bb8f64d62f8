import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { binaryKey } from '@core-dump-handler/bundle'
import { type Destination, isUploadError, type UploadError } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import type { SpoolLimits } from '../spool/evictions.ts'
import { chooseExcess, listBinaries, StoredBinaries, type WaitingBinary } from './binary-spool.ts'

const MIN_RETRY_MS = 5000
const MAX_RETRY_MS = 300_000
const LOOK_MS = 1000

/** One binary: stored, or found in the store; else the code of the error. */
export type BinaryEvent =
  | { readonly type: 'stored'; readonly bytes: number; readonly isNew: boolean }
  | { readonly type: 'failed'; readonly code: string }

export interface BinaryUploaderOptions {
  /** `CORE_DIR/binaries`. */
  readonly directory: string
  readonly destination: Destination
  readonly limits: SpoolLimits
  readonly log: Log
  /** The bundles that wait; while it may be sent, one of them is sent before any binary. */
  readonly bundles: () => { readonly areDue: boolean; readonly bytes: number }
  readonly onEvent?: (event: BinaryEvent) => void
}

/** What became of the binaries that waited. */
export interface BinaryResult {
  /** Stored, or in the store already. */
  readonly done: number
  readonly failed: number
}

/** Uploads binaries one at a time, while no bundle can be sent, and deletes what the destination has confirmed. */
export class BinaryUploader {
  readonly #options: BinaryUploaderOptions
  readonly #stored: StoredBinaries
  #transfer: AbortController | undefined
  #failures = 0
  #notBeforeMs = 0

  constructor(options: BinaryUploaderOptions) {
    this.#options = options
    this.#stored = new StoredBinaries(options.directory, options.destination.url)
  }

  /** A bundle is being sent: an upload in progress ends, and is resumed afterwards. */
  interrupt(): void {
    this.#transfer?.abort()
  }

  /** Uploads what waits, unless the last failure was just now. Rejects when the directory cannot be read. */
  async round(signal: AbortSignal): Promise<BinaryResult> {
    const result = { done: 0, failed: 0 }
    if (performance.now() < this.#notBeforeMs) return result
    try {
      const waiting = await this.#trim(await listBinaries(this.#options.directory))
      if (waiting.length > 0) await this.#note(() => this.#stored.open())
      for (const binary of waiting) {
        const error = await this.#upload(binary, signal)
        if (signal.aborted) return result
        result[error === undefined ? 'done' : 'failed']++
        // the next one would fail too
        if (error?.scope === 'destination') break
      }
    } catch (error) {
      this.#backOff()
      throw error
    }
    if (result.failed > 0) this.#backOff()
    else this.#failures = 0
    return result
  }

  #backOff(): void {
    const delayMs = Math.min(MIN_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS)
    this.#notBeforeMs = performance.now() + delayMs * (0.75 + Math.random() / 2)
  }

  async #upload(binary: WaitingBinary, signal: AbortSignal): Promise<UploadError | undefined> {
    for (;;) {
      while (this.#options.bundles().areDue && !signal.aborted) {
        await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
      }
      const transfer = new AbortController()
      this.#transfer = transfer
      try {
        await this.#put(binary, AbortSignal.any([signal, transfer.signal]))
        return undefined
      } catch (error) {
        if (!isUploadError(error)) throw error
        if (signal.aborted) return error
        if (transfer.signal.aborted) continue
        return await this.#failed(binary, error)
      } finally {
        this.#transfer = undefined
      }
    }
  }

  async #put({ buildId, path, bytes }: WaitingBinary, signal: AbortSignal): Promise<void> {
    const { destination, log } = this.#options
    const { url, outcome } = await destination.put(path, binaryKey(buildId), {
      shared: true,
      signal,
    })
    await this.#done(buildId, path)
    this.#options.onEvent?.({ type: 'stored', bytes, isNew: outcome !== 'existing' })
    const text = outcome === 'existing' ? 'the store has the binary already' : 'binary stored'
    log.info({ buildId, url, bytes }, text)
  }

  async #failed(
    { buildId, path }: WaitingBinary,
    error: UploadError,
  ): Promise<UploadError | undefined> {
    const { log } = this.#options
    if (error.code === 'GONE') return undefined
    this.#options.onEvent?.({ type: 'failed', code: error.code })
    if (error.code === 'OCCUPIED') {
      await this.#done(buildId, path)
      log.warn({ buildId, err: error }, 'the store has another file of this build-id, which stays')
      return undefined
    }
    // a store that is down is one line, as of bundles
    const level = this.#failures === 0 ? 'warn' : 'debug'
    log[level]({ buildId, err: error }, 'binary could not be uploaded; it is tried again')
    return error
  }

  async #done(buildId: string, path: string): Promise<void> {
    // first: a composer that finds neither copies it again
    await this.#note(() => this.#stored.add(buildId))
    await rm(path, { force: true })
  }

  /** A full disk must not keep it full: what is not noted is copied and compared once more. */
  async #note(step: () => Promise<void>): Promise<void> {
    await step().catch((err: unknown) => {
      this.#options.log.warn({ err }, 'cannot note which binaries the store has')
    })
  }

  async #trim(waiting: readonly WaitingBinary[]): Promise<WaitingBinary[]> {
    const { limits, bundles, destination, log } = this.#options
    const excess = new Set(chooseExcess(waiting, limits, bundles().bytes, Date.now()))
    for (const { path } of excess) {
      await destination.abandon(path).catch(() => undefined)
      await rm(path, { force: true })
    }
    if (excess.size > 0) {
      log.info({ binaries: excess.size }, 'binaries deleted to keep CORE_DIR within its limits')
    }
    return waiting.filter((binary) => !excess.has(binary))
  }
}
