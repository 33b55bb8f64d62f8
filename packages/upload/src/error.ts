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
