/** Stable, documented in the README; a new member is a minor change. */
export type ComposerErrorCode = 'INVALID_DIRECTORY' | 'PATTERN_TOO_LONG'

/** What was attempted and what to do instead. */
export class ComposerError extends Error {
  override readonly name = 'ComposerError'
  readonly code: ComposerErrorCode

  constructor(code: ComposerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Unlike `instanceof`, holds across two installed copies of this package. */
export function isComposerError(error: unknown): error is ComposerError {
  return error instanceof Error && error.name === 'ComposerError'
}
