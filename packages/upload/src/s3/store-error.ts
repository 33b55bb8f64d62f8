import { errnoOf } from '../file-error.ts'
import { UploadError, isUploadError } from '../error.ts'
import type { UploadErrorCode } from '../error.ts'
import { plain } from '../text.ts'
import { classifyError, scopeOf } from './classify-error.ts'
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
