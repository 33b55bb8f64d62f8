import {
  isClockSkewError,
  isServerError,
  isThrottlingError,
  isTransientError,
} from '@smithy/service-error-classification'
import type { UploadErrorCode, UploadErrorScope } from '../error.ts'
import { errnoOf } from '../file-error.ts'

type SdkError = Parameters<typeof isTransientError>[0]

/** Certificates and handshakes: OpenSSL's verify codes, Node's own, and EPROTO where there is no TLS at all. */
const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED|HOSTNAME_|EPROTO)/

/** Connections: what the SDK does not count as transient. */
const NETWORK = /^(E(CONN|HOST|NET)|EADDRNOTAVAIL|HPE_|UND_|ERR_SOCKET|ERR_STREAM|ERR_PROXY)/

/**
 * The stores' codes (S3 API reference, "List of error codes"; MinIO, Ceph, Swift, versitygw have a few more).
 * The SDK knows only which errors it should repeat, and counts some of these as throttling or clock skew.
 */
const CODES: Readonly<Record<string, UploadErrorCode>> = {
  CredentialsProviderError: 'NO_CREDENTIALS',
  TokenProviderError: 'NO_CREDENTIALS',
  ProviderError: 'NO_CREDENTIALS',
  InvalidIdentityToken: 'NO_CREDENTIALS',
  InvalidIdentityTokenException: 'NO_CREDENTIALS',
  SignatureDoesNotMatch: 'WRONG_SECRET',
  InvalidAccessKeyId: 'WRONG_SECRET',
  InvalidClientTokenId: 'WRONG_SECRET',
  InvalidToken: 'WRONG_SECRET',
  XAdminUserNotFound: 'WRONG_SECRET',
  NotSignedUp: 'WRONG_SECRET',
  ExpiredToken: 'EXPIRED',
  ExpiredTokenException: 'EXPIRED',
  TokenRefreshRequired: 'EXPIRED',
  NoSuchBucket: 'NO_BUCKET',
  InvalidBucketName: 'NO_BUCKET',
  PermanentRedirect: 'WRONG_REGION',
  TemporaryRedirect: 'WRONG_REGION',
  Redirect: 'WRONG_REGION',
  IllegalLocationConstraintException: 'WRONG_REGION',
  AuthorizationHeaderMalformed: 'WRONG_REGION',
  AccessDenied: 'DENIED',
  AccessDeniedException: 'DENIED',
  AllAccessDisabled: 'DENIED',
  AccountProblem: 'DENIED',
  UserSuspended: 'DENIED',
  ServiceUnavailable: 'THROTTLED',
  TooManyRequests: 'THROTTLED',
  InsufficientStorage: 'FULL',
  XMinioStorageFull: 'FULL',
  QuotaExceeded: 'FULL',
  XMinioAdminBucketQuotaExceeded: 'FULL',
  EntityTooLarge: 'TOO_LARGE',
  BadDigest: 'MISMATCH',
  InvalidDigest: 'MISMATCH',
  XAmzContentSHA256Mismatch: 'MISMATCH',
  IncompleteBody: 'MISMATCH',
  // 200 with an error in it: the SDK gives it the status 503
  InternalError: 'STORE',
  OperationAborted: 'STORE',
  ConditionalRequestConflict: 'STORE',
  NoSuchUpload: 'STORE',
  InvalidPart: 'STORE',
  InvalidPartOrder: 'STORE',
}

/** Refusals of whoever asks, whatever the object is. */
const OF_ACCOUNT =
  /^(AllAccessDisabled|AccountProblem|UserSuspended|NotSignedUp|InvalidPayer|KMS\..*)$/

/**
 * Whether an answer is about this object, `file`: only if it is S3's own, by its error code. No answer, 5xx and
 * what has no code, such as the page of a gateway, are the destination's; undefined: the code decides.
 */
export function scopeOf(storeCode: string, status: number): UploadErrorScope | undefined {
  const isOfObject = status >= 200 && status < 500 && storeCode !== ''
  return isOfObject && !OF_ACCOUNT.test(storeCode) ? undefined : 'destination'
}

/** The one place that decides what an error of the SDK means; `storeCode` and `status` are '' and 0 without an answer. */
export function classifyError(error: Error, storeCode: string, status: number): UploadErrorCode {
  if (storeCode === 'AbortError') return 'ABORTED'
  const errno = errnoOf(error)
  if (TLS.test(errno)) return 'TLS'
  const known = Object.hasOwn(CODES, storeCode) ? CODES[storeCode] : undefined
  if (known) return known
  const sdkError = asSdkError(error)
  if (isClockSkewError(sdkError)) return 'CLOCK'
  if (isThrottlingError(sdkError)) return 'THROTTLED'
  return status === 0 ? withoutAnswer(sdkError, errno) : byStatus(sdkError, storeCode, status)
}

/** No connection, or something that is no S3. */
function withoutAnswer(error: SdkError, errno: string): UploadErrorCode {
  return isTransientError(error) || NETWORK.test(errno) ? 'UNREACHABLE' : 'STORE'
}

function byStatus(error: SdkError, storeCode: string, status: number): UploadErrorCode {
  if (storeCode.startsWith('KMS.')) return 'DENIED'
  if (status >= 300 && status < 400) return 'WRONG_REGION'
  if (status === 401 || status === 403) return 'DENIED'
  // only a proxy asks for that
  if (status === 407) return 'UNREACHABLE'
  // S3 answers 503 to ask for fewer requests; the SDK counts it as a failure of the server
  if (status === 503) return 'THROTTLED'
  if (status === 507) return 'FULL'
  if (status === 501) return 'REFUSED'
  if (isTransientError(error) || isServerError(error)) return 'STORE'
  // a HEAD has no body: nothing is known that would justify giving up
  if (status === 400 && storeCode === '') return 'STORE'
  return status >= 400 ? 'REFUSED' : 'STORE'
}

/** The SDK follows the causes of an error, and fails on one that is no error. */
function asSdkError(error: Error): SdkError {
  if (isSdkError(error)) return error
  const { name, message } = error
  return Object.assign({ name, message }, { code: errnoOf(error) })
}

function isSdkError(error: Error): error is SdkError {
  let cause: unknown = error.cause
  for (let depth = 0; depth <= 10 && cause instanceof Error; depth++) cause = cause.cause
  return cause === undefined || cause instanceof Error
}
