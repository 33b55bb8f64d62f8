import { errnoOf } from '../errno.ts'
import { isUploadError, UploadError, type UploadErrorCode } from '../error.ts'
import { plain } from '../show.ts'
import { hostBehind } from './handler.ts'
import { CODES, NETWORK, TLS, TODO } from './store-codes.ts'

interface Answer {
  readonly httpStatusCode?: number
  readonly requestId?: string
  readonly extendedRequestId?: string
}

/** A foreign text, fit to be shown. */
type Say = (text: string) => string

/** Everything that is said of an error of the SDK, in words of ours. */
export interface Attempt {
  /** `upload part 3 of /x.zip to s3://b/x.zip`; already fit to be shown. */
  readonly what: string
  readonly subject: string
  /** Keys that we sign with: a store may give back what it was sent. */
  readonly secrets?: readonly string[]
}

/** Wrap whatever the SDK threw; keeps its words but not its object, which holds headers and keys. */
export function fromStoreError(
  cause: unknown,
  { what, subject, secrets = [] }: Attempt,
): UploadError {
  if (isUploadError(cause)) return cause
  const say: Say = (text) => plain(withoutKeys(text, secrets))
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const answer = metadata(error)
  const storeCode = nameOf(error, say)
  const httpStatus = answer.httpStatusCode ?? 0
  const code = codeOf(error, storeCode, httpStatus)
  const words = say(error.message).replace(/^UnknownError$|\.$/, '')
  const said = [storeCode, words === storeCode ? '' : words]
    .filter((part) => part !== '')
    .join(': ')
  const facts = [httpStatus >= 300 ? ` (HTTP ${httpStatus})` : '', region(error, say)].join('')
  const todo = TODO[code] ?? 'It is tried again'
  const host = httpStatus === 0 ? hostBehind(error) : undefined
  const at = host === undefined ? '' : ` at ${say(host)}`
  return new UploadError(
    code,
    `Cannot ${what}${at}: ${said || 'no reason given'}${facts}. ${todo}`,
    {
      subject,
      ...(answer.httpStatusCode === undefined ? {} : { httpStatus }),
      ...(storeCode === '' ? {} : { storeCode }),
      ...(answer.requestId === undefined ? {} : { requestId: say(answer.requestId) }),
      cause: bare(error, say),
    },
  )
}

function withoutKeys(text: string, secrets: readonly string[]): string {
  const known = secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text)
  // keys of a role are not ours to know: as they stand in a signed request
  return known.replaceAll(/\b(Credential|Signature)=[^,\s&]+/gi, '$1=[redacted]')
}

/** What the store answered with, where the SDK got an answer at all. */
export function statusOf(error: unknown): number | undefined {
  return isUploadError(error) ? error.httpStatus : undefined
}

function codeOf(error: Error, name: string, status: number): UploadErrorCode {
  const errno = errnoOf(error)
  if (name === 'AbortError') return 'ABORTED'
  if (TLS.test(errno)) return 'TLS'
  const known = CODES[name]
  if (known) return known
  if (name.startsWith('KMS.')) return 'DENIED'
  if (status >= 300 && status < 400) return 'WRONG_REGION'
  if (status === 401 || status === 403) return 'DENIED'
  if (status === 429 || status === 503) return 'THROTTLED'
  if (status === 507) return 'FULL'
  if (status === 501) return 'REFUSED'
  if (status >= 500) return 'STORE'
  // a HEAD has no body: nothing is known that would justify giving up
  if (status === 400 && name === '') return 'STORE'
  if (status >= 400) return 'REFUSED'
  // no answer, or one that is no S3
  return NETWORK.test(errno) || name === 'TimeoutError' ? 'UNREACHABLE' : 'STORE'
}

function nameOf(error: Error, say: Say): string {
  // the SDK calls an answer without a body by its status, or by nothing
  return /^(Error|UnknownError|Unknown|\d+)$/.test(error.name) ? '' : say(error.name)
}

function metadata(error: Error): Answer {
  return '$metadata' in error && typeof error.$metadata === 'object' ? { ...error.$metadata } : {}
}

function region(error: Error, say: Say): string {
  const response = '$response' in error ? error.$response : undefined
  if (typeof response !== 'object' || response === null || !('headers' in response)) return ''
  const headers = response.headers as Record<string, unknown>
  const name = headers['x-amz-bucket-region']
  return typeof name === 'string' ? ` (the bucket is in ${say(name)})` : ''
}

function bare(error: Error, say: Say): Error {
  const copy = new Error(say(error.message))
  copy.name = say(error.name)
  const errno = errnoOf(error)
  return errno === '' ? copy : Object.assign(copy, { code: errno })
}
