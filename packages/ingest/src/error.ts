/** Stable, documented in the README; a new member is a minor change. */
export type IngestErrorCode =
  | 'INVALID_NAME'
  | 'DUPLICATE_NAME'
  | 'INVALID_OPTION'
  | 'MISUSE'
  | 'CLOSED'
  | 'FAILED_BEFORE'
  | 'NOT_A_FILE'
  | 'CHANGED'
  | 'EXISTS'
  | 'NOT_FOUND'
  | 'DENIED'
  | 'NAME_TOO_LONG'
  | 'UNSUPPORTED'
  | 'DAMAGED'
  | 'NO_SPACE'
  | 'IO'

/** What was attempted, on which file or entry (`subject`); the system error is the `cause`. */
export class IngestError extends Error {
  override readonly name = 'IngestError'
  readonly code: IngestErrorCode
  /** Path, entry name or option the error is about. */
  readonly subject: string

  constructor(code: IngestErrorCode, subject: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.subject = subject
  }
}

/** Unlike `instanceof`, holds across two installed copies of this package. */
export function isIngestError(error: unknown): error is IngestError {
  return error instanceof Error && error.name === 'IngestError'
}

const CODES: Readonly<Record<string, readonly [code: IngestErrorCode, advice: string]>> = {
  EEXIST: ['EXISTS', 'choose another name, nothing was overwritten'],
  ENOENT: ['NOT_FOUND', 'create the directory first'],
  ENOTDIR: ['NOT_FOUND', 'a part of the path is not a directory'],
  EACCES: ['DENIED', 'check owner and mode of the directory'],
  EPERM: ['DENIED', 'check owner, mode and attributes of the directory'],
  EROFS: ['DENIED', 'the file system is mounted read-only'],
  ENAMETOOLONG: ['NAME_TOO_LONG', 'file names have at most 255 bytes'],
  ENOSPC: ['NO_SPACE', 'free space on that file system'],
  EDQUOT: ['NO_SPACE', 'the quota of the owner is used up'],
  EFBIG: ['NO_SPACE', 'the file size limit is reached'],
}

/** Wrap whatever the system threw while we tried to `verb` the `subject`. */
export function fromSystemError(verb: string, subject: string, cause: unknown): IngestError {
  if (isIngestError(cause)) return cause
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const [code, advice] = CODES[errno] ?? ['IO', 'see the cause']
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new IngestError(code, subject, `Cannot ${verb} \`${subject}\`: ${reason} (${advice})`, {
    cause,
  })
}
