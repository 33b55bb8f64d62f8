import { errnoOf } from '../file-error.ts'
import { UploadError, isUploadError } from '../error.ts'
import type { UploadErrorCode } from '../error.ts'
import { plain } from '../text.ts'
import { classifyError } from './classify-error.ts'
import { hostOfError } from './request-handler.ts'

/** What a person can do about it. */
const ADVICE: Partial<Readonly<Record<UploadErrorCode, string>>> = {
  NO_CREDENTIALS:
    'Give an access key and its secret, or a role (web identity, pod identity, instance profile)',
  WRONG_SECRET: 'Check the access key and its secret, and that they belong to this store',
  EXPIRED: 'The credentials have expired: they are read again at the next attempt',
  CLOCK: 'Set the clock of this machine: the store refuses requests more than minutes apart',
  NO_BUCKET: 'Create the bucket, or correct its name, the region or the endpoint',
  WRONG_REGION: "Set the bucket's own region",
  DENIED:
    'Allow s3:PutObject, s3:GetObject (to verify), s3:AbortMultipartUpload and s3:ListMultipartUploadParts on the objects',
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
  const code = classifyError(error, storeCode, httpStatus ?? 0)
  const message = clean(error.message).replace(/^UnknownError$|\.$/, '')
  const reason = [storeCode, message === storeCode ? '' : message]
    .filter((part) => part !== '')
    .join(': ')
  const status = httpStatus !== undefined && httpStatus >= 300 ? ` (HTTP ${httpStatus})` : ''
  const region = regionOf(error)
  const where = region === undefined ? '' : ` (the bucket is in ${clean(region)})`
  const host = httpStatus === undefined ? hostOfError(error) : undefined
  const at = host === undefined ? '' : ` at ${clean(host)}`
  return new UploadError(
    code,
    `Cannot ${what}${at}: ${reason || 'no reason given'}${status}${where}. ${ADVICE[code] ?? 'It is tried again'}`,
    {
      subject,
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(storeCode === '' ? {} : { storeCode }),
      ...(requestId === undefined ? {} : { requestId: clean(requestId) }),
      cause: bare(error, clean),
    },
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
function regionOf(error: Error): string | undefined {
  const headers = property(property(error, '$response'), 'headers')
  const region = property(headers, 'x-amz-bucket-region')
  return typeof region === 'string' ? region : undefined
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
