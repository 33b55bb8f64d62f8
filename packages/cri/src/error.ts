import { messageOf, oneLine } from './text.ts'

/** Stable, documented in the README; a new member is a minor change. */
export type CriErrorCode =
  | 'CRI_UNAVAILABLE'
  | 'CRI_TIMEOUT'
  | 'CRI_NOT_FOUND'
  | 'CRI_UNIMPLEMENTED'
  | 'CRI_TOO_LARGE'
  | 'CRI_MALFORMED'
  | 'CRI_ABORTED'
  | 'CRI_FAILED'
  | 'INVALID_OPTION'

/** What was attempted, on which runtime, and why it failed; the system error is the `cause`. */
export class CriError extends Error {
  override readonly name = 'CriError'
  readonly code: CriErrorCode
  /** `unix:///run/containerd/containerd.sock`, or the crictl that was run. */
  readonly endpoint: string | undefined

  constructor(code: CriErrorCode, message: string, options: CriErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.endpoint = options.endpoint
  }
}

export interface CriErrorOptions extends ErrorOptions {
  readonly endpoint?: string
}

/** Unlike `instanceof`, holds across two installed copies of this package. */
export function isCriError(error: unknown): error is CriError {
  return error instanceof Error && error.name === 'CriError'
}

/** Stable, documented in the README; a new member is a minor change. */
export type WarningCode =
  | CriErrorCode
  | 'PROCESS_GONE'
  | 'PROCESS_CHANGED'
  | 'PROCESS_FILE_UNREADABLE'
  | 'PROCESS_FILE_TRUNCATED'
  | 'POD_NOT_FOUND'
  | 'IMAGE_NOT_FOUND'
  | 'LOG_MISSING'
  | 'LOG_UNREADABLE'

/** A failure that cost one part of the result; everything else went on. */
export interface Warning {
  readonly code: WarningCode
  /** One line without control characters: what was attempted, on what, why it failed. */
  readonly message: string
}

/** A warning whose message may quote a container, a runtime or a file. */
export function warning(code: WarningCode, message: string): Warning {
  return { code, message: oneLine(message) }
}

/** The warning for an error; `otherwise` is the code of an error that is not a `CriError`. */
export function warningOf(error: unknown, otherwise: WarningCode = 'CRI_FAILED'): Warning {
  return warning(isCriError(error) ? error.code : otherwise, messageOf(error))
}
