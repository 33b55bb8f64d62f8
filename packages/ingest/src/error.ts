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

/** The error for an option that is not what it must be. */
export function invalidOption(
  option: string,
  wanted: string,
  got: string,
  cause?: unknown,
): IngestError {
  const message = `Expected \`${option}\` to be ${wanted}, got ${got}`
  return new IngestError('INVALID_OPTION', option, message, { cause })
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

/** Wraps what the system threw while `verb` was attempted on the `subject`. */
export function fromSystemError(verb: string, subject: string, cause: unknown): IngestError {
  if (isIngestError(cause)) return cause
  const [code, advice] = CODES[errorCode(cause)] ?? ['IO', 'see the cause']
  const message = `Cannot ${verb} \`${subject}\`: ${messageOf(cause)} (${advice})`
  return new IngestError(code, subject, message, { cause })
}

/** The `code` of a system or zlib error, such as `ENOENT`; empty where there is none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** The disk, the quota or the file size limit is full. */
export function isNoSpace(error: unknown): boolean {
  return isIngestError(error) && error.code === 'NO_SPACE'
}

/** Whatever was thrown, as an `Error`. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** Whatever was thrown, as text. */
export function messageOf(thrown: unknown): string {
  return asError(thrown).message
}
