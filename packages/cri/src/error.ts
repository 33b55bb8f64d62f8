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
