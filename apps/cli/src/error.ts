/** Exit codes of `cdh`; `debug` ends with the code of the debugger. */
export const EXIT = {
  ok: 0,
  /** What was asked for could not be done. */
  failed: 1,
  usage: 2,
  /** `verify`: bytes of a bundle are not those that were written. */
  damaged: 3,
  /** `verify`: every byte is as it was written, but the core is cut, absent, or not known to be whole. */
  incomplete: 4,
} as const

export type CliErrorCode = 'USAGE' | 'NOT_FOUND' | 'STORE' | 'DAMAGED' | 'LOCAL' | 'MISSING_PROGRAM'

/** What was attempted, on what, why it failed and what to do. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: CliErrorCode
  /** Another attempt may succeed although nothing is changed. */
  readonly retryable: boolean

  constructor(
    code: CliErrorCode,
    message: string,
    { retryable = false, ...options }: ErrorOptions & { readonly retryable?: boolean } = {},
  ) {
    super(message, options)
    this.code = code
    this.retryable = retryable
  }
}

/** An error of any kind in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Such as `ENOENT`; undefined where the error has none. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
