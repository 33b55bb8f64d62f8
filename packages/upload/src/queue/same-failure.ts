import type { UploadError, UploadErrorCode } from '../error.ts'

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
