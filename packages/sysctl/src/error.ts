/** Stable, documented in the README; a new member is a minor change. */
export type SysctlErrorCode =
  | 'INVALID_KEY'
  | 'INVALID_VALUE'
  | 'NOT_FOUND'
  | 'DENIED'
  | 'TOO_LONG'
  | 'REFUSED'
  | 'BACKUP'
  | 'IO'

/** What was attempted on which key, and why it failed; the system error is the `cause`. */
export class SysctlError extends Error {
  override readonly name = 'SysctlError'
  readonly code: SysctlErrorCode
  readonly key: string

  constructor(code: SysctlErrorCode, key: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.key = key
  }
}

/** Unlike `instanceof`, holds across two installed copies of this package. */
export function isSysctlError(error: unknown): error is SysctlError {
  return error instanceof Error && error.name === 'SysctlError'
}

const MEANINGS: Readonly<Record<string, readonly [code: SysctlErrorCode, meaning: string]>> = {
  ENOENT: ['NOT_FOUND', 'this kernel, or this root directory, does not have it'],
  ENOTDIR: ['NOT_FOUND', 'this kernel, or this root directory, does not have it'],
  EACCES: ['DENIED', 'permission denied: it needs root'],
  EPERM: ['DENIED', 'not permitted: it needs root, and a capability or policy may forbid it'],
  EROFS: ['DENIED', 'mounted read-only: mount the sysctl tree writable, or run privileged'],
  EINVAL: ['REFUSED', 'the kernel refused the value as invalid'],
  ERANGE: ['REFUSED', 'the kernel refused the value as out of range'],
}

/** The `SysctlError` for a system error that occurred while trying to `verb` the key. */
export function fromSystemError(verb: string, key: string, cause: unknown): SysctlError {
  const reason = reasonOf(cause)
  const [code, meaning] = MEANINGS[reason] ?? ['IO', reason]
  return new SysctlError(code, key, `Cannot ${verb} sysctl \`${key}\`: ${meaning}`, { cause })
}

/** The code of a system error, such as `ENOENT`, or the text of any other error. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
