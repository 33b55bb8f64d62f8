import { reasonOf, show } from './text.ts'

/** Stable, documented in the README; a new member is a minor change. */
export type UploadErrorCode =
  | 'INVALID'
  | 'NO_CREDENTIALS'
  | 'WRONG_SECRET'
  | 'EXPIRED'
  | 'CLOCK'
  | 'NO_BUCKET'
  | 'WRONG_REGION'
  | 'DENIED'
  | 'UNREACHABLE'
  | 'TLS'
  | 'THROTTLED'
  | 'STORE'
  | 'REFUSED'
  | 'FULL'
  | 'TOO_LARGE'
  | 'MISMATCH'
  | 'OCCUPIED'
  | 'CHANGED'
  | 'LOST'
  | 'GONE'
  | 'UNREADABLE'
  | 'ABORTED'

/** Whether the next file would fail in the same way (`destination`) or perhaps not (`file`). */
export type UploadErrorScope = 'destination' | 'file'

/** Facts beside the code; every one of them is free of secrets. */
export interface UploadErrorFacts extends ErrorOptions {
  /** Local file, or URL of the object, that it happened on. */
  readonly subject?: string
  /** Status of the store's answer. */
  readonly httpStatus?: number
  /** The store's own code for it, such as `SlowDown`. */
  readonly storeCode?: string
  /** What to quote to the store's support. */
  readonly requestId?: string
  /** Override what follows from the code. */
  readonly retryable?: boolean
  readonly scope?: UploadErrorScope
}

const RETRYABLE: ReadonlySet<UploadErrorCode> = new Set([
  // a node's role, or its metadata service, may start after this process
  'NO_CREDENTIALS',
  'EXPIRED',
  'CLOCK',
  'UNREACHABLE',
  // certificates and CA files are renewed by programs
  'TLS',
  'THROTTLED',
  'STORE',
  'FULL',
  'MISMATCH',
  'CHANGED',
  'ABORTED',
])

const OF_DESTINATION: ReadonlySet<UploadErrorCode> = new Set([
  'NO_CREDENTIALS',
  'WRONG_SECRET',
  'EXPIRED',
  'CLOCK',
  'NO_BUCKET',
  'WRONG_REGION',
  'UNREACHABLE',
  'TLS',
  'THROTTLED',
  'FULL',
])

/** Answers of a store whose multipart upload can never be completed. */
const LOST_UPLOAD: ReadonlySet<string> = new Set([
  'NoSuchUpload',
  'InvalidPart',
  'InvalidPartOrder',
  'EntityTooSmall',
])

/** What was attempted, on what, why it failed and what to do; holds no secret. */
export class UploadError extends Error {
  override readonly name = 'UploadError'
  readonly code: UploadErrorCode
  /** True when the same call may succeed later though no one did anything. */
  readonly retryable: boolean
  /** False when the parts that the store has can never become the object: the next attempt sends all. */
  readonly resumable: boolean
  readonly scope: UploadErrorScope
  readonly subject: string | undefined
  readonly httpStatus: number | undefined
  readonly storeCode: string | undefined
  readonly requestId: string | undefined

  constructor(code: UploadErrorCode, message: string, facts: UploadErrorFacts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined)
    this.code = code
    this.retryable = facts.retryable ?? RETRYABLE.has(code)
    this.resumable = code !== 'MISMATCH' && !LOST_UPLOAD.has(facts.storeCode ?? '')
    this.scope = facts.scope ?? (OF_DESTINATION.has(code) ? 'destination' : 'file')
    this.subject = facts.subject
    this.httpStatus = facts.httpStatus
    this.storeCode = facts.storeCode
    this.requestId = facts.requestId
  }
}

/** Unlike `instanceof`, works across two installed copies of this package. */
export function isUploadError(error: unknown): error is UploadError {
  return error instanceof Error && error.name === 'UploadError'
}

/** What an error of the file system means on either side, and what a person can do. */
const FILE_ERRORS: Readonly<
  Record<string, readonly [source: UploadErrorCode, target: UploadErrorCode, todo: string]>
> = {
  ENOENT: ['GONE', 'DENIED', 'it does not exist any more'],
  ELOOP: ['UNREADABLE', 'DENIED', 'it is a symbolic link, which is never followed'],
  EACCES: ['UNREADABLE', 'DENIED', 'give this user access to it'],
  EPERM: ['UNREADABLE', 'DENIED', 'give this user access to it'],
  EROFS: ['UNREADABLE', 'DENIED', 'the file system is read-only: mount it writable'],
  ENOTDIR: ['UNREADABLE', 'DENIED', 'a part of the path is not a directory'],
  EISDIR: ['UNREADABLE', 'OCCUPIED', 'a directory has that name'],
  ENAMETOOLONG: ['UNREADABLE', 'INVALID', 'the name is longer than the file system takes'],
  ENOSPC: ['FULL', 'FULL', 'the file system is full: free some space, it is tried again'],
  EDQUOT: ['FULL', 'FULL', 'the quota is used up: free some space, it is tried again'],
  EFBIG: ['TOO_LARGE', 'TOO_LARGE', 'the file system takes no file of this size'],
}

/** The system error code somewhere in the chain of causes, or the empty string. */
export function errnoOf(error: unknown): string {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ('code' in e && typeof e.code === 'string') return e.code
  }
  return ''
}

/** Wrap what the file system threw while we tried to `verb` the file that we send (`source`) or write (`target`). */
export function fromFileError(
  side: 'source' | 'target',
  verb: string,
  path: string,
  cause: unknown,
): UploadError {
  if (isUploadError(cause)) return cause
  const known = FILE_ERRORS[errnoOf(cause)]
  const [source, target, todo] = known ?? ['UNREADABLE', 'STORE', reasonOf(cause)]
  const code = side === 'source' ? source : target
  // no descriptor or memory left, a fault of the disk: it may pass without a person
  const retryable = known === undefined ? { retryable: true } : {}
  const scope = side === 'target' && code === 'STORE' ? ({ scope: 'destination' } as const) : {}
  const message = `Cannot ${verb} ${show(path)}: ${todo}`
  return new UploadError(code, message, { cause, subject: path, ...retryable, ...scope })
}
