import {
  isClockSkewError,
  isServerError,
  isThrottlingError,
  isTransientError,
} from '@smithy/service-error-classification'
import { errnoOf, isUploadError, UploadError } from '../error.ts'
import type { UploadErrorCode, UploadErrorScope } from '../error.ts'
import { plain } from '../text.ts'
import { peerOf } from './request-handler.ts'

/** What a person can do about it. */
const ADVICE: Partial<Readonly<Record<UploadErrorCode, string>>> = {
  WRONG_SECRET: 'Check the access key and its secret, and that they belong to this store',
  EXPIRED: 'The credentials have expired: they are read again at the next attempt',
  CLOCK: 'Set the clock of this machine: the store refuses requests more than minutes apart',
  NO_BUCKET: 'Create the bucket, or correct its name, the region or the endpoint',
  WRONG_REGION: "Set the bucket's own region",
  DENIED:
    'Allow s3:PutObject, s3:GetObject (to verify; without it set the verification to `response`), s3:AbortMultipartUpload and s3:ListMultipartUploadParts on the objects',
  UNREACHABLE:
    'Check the endpoint, DNS, network policy and whether the store runs; it is tried again',
  TLS: "Give the store's certificate authority as CA file, renew its certificate or correct the endpoint's host name; it is tried again",
  THROTTLED: 'The store asks for fewer requests; it is tried again',
  REFUSED:
    'The store does not take this request: check the storage class, encryption, tags and checksum settings',
  FULL: 'Free some space in the store or raise its quota; it is tried again',
  TOO_LARGE: 'The store takes no object of this size',
  MISMATCH: 'The content was damaged on its way; it is sent again',
}

/** What the attempt was, for the message. */
export interface Attempt {
  /** `upload part 3 of /x.zip to s3://b/x.zip`; already fit to be shown. */
  readonly what: string
  readonly subject: string
  /** Keys that we sign with: a store may repeat what it was sent. */
  readonly secrets: readonly string[]
}

/** Makes a foreign text harmless: no keys, no control characters. */
type Clean = (text: string) => string

/** Wrap whatever the SDK threw; keeps its words but not its object, which holds headers and keys. */
export function fromStoreError(cause: unknown, { what, subject, secrets }: Attempt): UploadError {
  if (isUploadError(cause)) return cause
  const clean: Clean = (text) => plain(withoutKeys(text, secrets))
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const { httpStatus, requestId } = answerOf(error)
  // the SDK names an answer without a body by its status, or by nothing
  const storeCode = /^(Error|UnknownError|Unknown|\d+)$/.test(error.name) ? '' : clean(error.name)
  const isForeign = storeCode === '' && isNoStore(error)
  // a page instead of an answer: it says nothing about rights or the request
  const code =
    isForeign && httpStatus !== undefined && httpStatus < 500 && httpStatus !== 429
      ? 'UNREACHABLE'
      : classifyError(error, storeCode, httpStatus ?? 0)
  const message = clean(error.message).replace(/^UnknownError$|\.$/, '')
  const reason = isForeign
    ? 'the answer is not that of an S3 store, but of a gateway or proxy'
    : [storeCode, message === storeCode ? '' : message].filter((part) => part !== '').join(': ')
  const status = httpStatus !== undefined && httpStatus >= 300 ? ` (HTTP ${httpStatus})` : ''
  const region = regionOf(error)
  const where = region === undefined ? '' : ` (the bucket is in ${clean(region)})`
  const scope = scopeOf(storeCode, httpStatus ?? 0)
  return new UploadError(
    code,
    `Cannot ${what}${clean(wayOf(error, storeCode, httpStatus))}: ${reason || 'no reason given'}${status}${where}. ${ADVICE[code] ?? 'It is tried again'}`,
    {
      subject,
      ...(scope === undefined ? {} : { scope }),
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(storeCode === '' || httpStatus === undefined ? {} : { storeCode }),
      ...(requestId === undefined ? {} : { requestId: clean(requestId) }),
      cause: bare(error, clean),
    },
  )
}

/** Where a request went, if not the store itself gave a reason. */
function wayOf(error: Error, storeCode: string, httpStatus: number | undefined): string {
  const response = property(error, '$response')
  const peer = peerOf(typeof response === 'object' && response !== null ? response : error)
  if (!peer || (httpStatus !== undefined && storeCode !== '')) return ''
  const at = httpStatus === undefined ? ` at ${peer.host}` : ''
  if (peer.proxy === undefined) return at
  const isAnswer = httpStatus !== undefined || errnoOf(error) === 'ERR_PROXY_TUNNEL'
  return `${at} through the proxy ${peer.proxy}${isAnswer ? ', which answered' : ''}`
}

/** A body that is a web page, or no XML. */
function isNoStore(error: Error): boolean {
  const type = property(property(property(error, '$response'), 'headers'), 'content-type')
  const isPage = typeof type === 'string' && /html/i.test(type)
  return (
    isPage || (answerOf(error).httpStatus !== undefined && /XML parse error/.test(error.message))
  )
}

function withoutKeys(text: string, secrets: readonly string[]): string {
  const known = secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text)
  // keys of a role are unknown here: as they stand in a signed request
  return known.replaceAll(/\b(Credential|Signature)=[^,\s&]+/gi, '$1=[redacted]')
}

/** Status and request id, where the SDK got an answer at all. */
function answerOf(error: Error): { httpStatus?: number; requestId?: string } {
  const metadata = property(error, '$metadata')
  const [httpStatus, requestId] = [
    property(metadata, 'httpStatusCode'),
    property(metadata, 'requestId'),
  ]
  return {
    ...(typeof httpStatus === 'number' ? { httpStatus } : {}),
    ...(typeof requestId === 'string' ? { requestId } : {}),
  }
}

/** The bucket's own region, where the store reports it. */
export function regionOf(error: unknown): string | undefined {
  const headers = property(property(error, '$response'), 'headers')
  const region = property(headers, 'x-amz-bucket-region') ?? property(error, 'Region')
  return typeof region === 'string' && /^[a-z0-9-]{1,63}$/i.test(region) ? region : undefined
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function bare(error: Error, clean: Clean): Error {
  const copy = new Error(clean(error.message))
  copy.name = clean(error.name)
  const errno = errnoOf(error)
  return errno === '' ? copy : Object.assign(copy, { code: errno })
}

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

/** Refusals of the caller, whatever the object is. */
const OF_ACCOUNT =
  /^(AllAccessDisabled|AccountProblem|UserSuspended|NotSignedUp|InvalidPayer|KMS\..*)$/

/**
 * Whether an answer is about this object, `file`: only if it is S3's own, by its error code. No answer, 5xx and
 * what has no code, such as the page of a gateway, are the destination's; undefined: the code decides.
 */
function scopeOf(storeCode: string, status: number): UploadErrorScope | undefined {
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
