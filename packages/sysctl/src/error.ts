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

/** What was attempted, on which key; the system error is the `cause`. */
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

const MEANINGS: Readonly<Record<string, readonly [code: SysctlErrorCode, why: string]>> = {
  ENOENT: ['NOT_FOUND', 'this kernel, or this root directory, does not have it'],
  ENOTDIR: ['NOT_FOUND', 'this kernel, or this root directory, does not have it'],
  EACCES: ['DENIED', 'permission denied: it takes root'],
  EPERM: ['DENIED', 'not permitted: it takes root, and a capability or policy may forbid it'],
  EROFS: ['DENIED', 'mounted read-only: mount the sysctl tree writable, or run privileged'],
  EINVAL: ['REFUSED', 'the kernel refused the value as invalid'],
  ERANGE: ['REFUSED', 'the kernel refused the value as out of range'],
}

/** Wrap whatever the file system threw while we tried to `verb` the key. */
export function fromSystemError(verb: string, key: string, cause: unknown): SysctlError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  const [code, why] = MEANINGS[errno] ?? ['IO', errno]
  return new SysctlError(code, key, `Cannot ${verb} sysctl \`${key}\`: ${why}`, { cause })
}
