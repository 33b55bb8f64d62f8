import type { UploadError, UploadErrorCode } from '../error.ts'
import { backoff } from './backoff.ts'
import type { BackoffOptions } from './backoff.ts'

/** A file as far as its failures are concerned. */
export interface Tried {
  readonly name: string
  /** Files that had been stored when this one failed last. */
  storedBefore?: number
}

/** Whose failure it is; of the destination: when it is tried again, and whether that is news. */
export type Verdict =
  | { readonly scope: 'file'; readonly released: readonly string[] | undefined }
  | { readonly scope: 'destination'; readonly retryInMs: number; readonly isNews: boolean }

/**
 * Keeps a failing destination from being tried once for each of 20,000 files: one file at a time probes it,
 * after exponential waits with full jitter.
 */
export class Pause {
  readonly #options: BackoffOptions
  readonly #same = new SameFailure()
  /** Files that have failed in this pause. */
  readonly #failed = new Set<string>()
  #failures = 0
  #until = 0
  #cause = ''
  #stored = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  get on(): boolean {
    return this.#failures > 0
  }

  /** When the next file may be sent, on the monotonic clock (`performance.now()`). */
  get nextTime(): number {
    // as long as only one file has failed, it may be the file: another one is tried at once
    return this.on && this.#failed.size > 1 ? this.#until : 0
  }

  /** How many files may be sent at once: one as a probe, when the wait is over. */
  limit(now: number, concurrency: number): number {
    if (!this.on) return concurrency
    return now >= this.nextTime ? 1 : 0
  }

  /** A file could not be sent. */
  failed(file: Tried, error: UploadError, now: number): Verdict {
    if (!SameFailure.isEvidence(error)) return { scope: 'file', released: undefined }
    // it has failed before, and others were stored since then
    const isSuspect = (file.storedBefore ?? this.#stored) < this.#stored
    file.storedBefore = this.#stored
    const cause = SameFailure.causeOf(error)
    const isSame = this.#same.add(file.name, error)
    const isDestination =
      isSame ||
      (error.scope === 'destination' && (this.on || !isSuspect)) ||
      (this.on && cause === this.#cause)
    if (!isDestination) {
      return { scope: 'file', released: error.scope === 'file' ? this.#end() : undefined }
    }
    const isNews = !this.on || cause !== this.#cause
    this.#cause = cause
    const retryInMs = this.#wait(file.name, now)
    if (isSame) for (const name of this.#same.files) this.#failed.add(name)
    return { scope: 'destination', retryInMs, isNews }
  }

  /** A file was stored; if that ends a pause, the files that failed in it and can be tried now. */
  stored(): readonly string[] | undefined {
    this.#stored++
    this.#same.clear()
    return this.#end()
  }

  #end(): readonly string[] | undefined {
    if (!this.on) return undefined
    // a single one may be the reason itself
    const released = this.#failed.size > 1 ? [...this.#failed] : []
    this.#failures = 0
    this.#failed.clear()
    return released
  }

  #wait(file: string, now: number): number {
    const isOther = !this.#failed.has(file)
    this.#failed.add(file)
    // begun before the pause was: the same failure, not one more
    if (this.on && now < this.#until && isOther) return this.#until - now
    this.#failures++
    const delayMs = backoff(this.#failures, this.#options, 'destination')
    this.#until = now + delayMs
    return delayMs
  }
}

/** Different files after whose equal failures the next file would fail too. */
const FILES = 3

/** Answers of a store that may be about one file or about all of them. */
const ANSWERS: ReadonlySet<UploadErrorCode> = new Set(['DENIED', 'REFUSED', 'STORE', 'MISMATCH'])

/** Notices that the same failure has met three different files, with none stored between them. */
export class SameFailure {
  #cause = ''
  readonly #files = new Set<string>()

  /** Whether this failure is evidence about the destination: not what only concerns a local file. */
  static isEvidence({ scope, code }: UploadError): boolean {
    return scope === 'destination' || ANSWERS.has(code)
  }

  /** What two equal failures have in common. */
  static causeOf({ code, storeCode = '' }: UploadError): string {
    return `${code} ${storeCode}`
  }

  /** The files that failed in this way. */
  get files(): ReadonlySet<string> {
    return this.#files
  }

  /** Returns true once it is the destination's. */
  add(file: string, error: UploadError): boolean {
    const cause = SameFailure.causeOf(error)
    if (cause !== this.#cause) this.clear()
    this.#cause = cause
    this.#files.add(file)
    return this.#files.size >= FILES
  }

  /** A file was stored. */
  clear(): void {
    this.#files.clear()
  }
}
