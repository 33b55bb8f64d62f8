import { CliError, messageOf } from '../error.ts'
import { escapeName, show } from '../output/escape.ts'

const CREDENTIALS =
  'set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in as for the aws command'
const ENDPOINT = 'check --endpoint, AWS_ENDPOINT_URL and the network'
const AGAIN = 'try again'

/** What to do, by the name or code of the SDK's error. */
const ADVICE: Readonly<Record<string, string>> = {
  CredentialsProviderError: CREDENTIALS,
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  ExpiredToken: 'sign in again: the credentials have expired',
  AccessDenied: 'ask for s3:ListBucket and s3:GetObject on this bucket',
  Forbidden: 'ask for s3:ListBucket and s3:GetObject on this bucket',
  NoSuchBucket: 'check the name of the bucket and --endpoint',
  PermanentRedirect: 'set --region to the region of the bucket',
  AuthorizationHeaderMalformed: 'set --region to the region of the bucket',
  RequestTimeTooSkewed: 'set the clock of this machine',
  PreconditionFailed: 'list again: the object was replaced meanwhile',
  NoSuchKey: 'list again: the object was deleted meanwhile',
  ENOTFOUND: ENDPOINT,
  ECONNREFUSED: ENDPOINT,
  TimeoutError: ENDPOINT,
}

/** An error of the SDK as what was attempted, on what, why it failed and what to do. */
export function storeError(what: string, url: string, cause: unknown): CliError {
  if (cause instanceof CliError) return cause
  const code = reasonsOf(cause).find((name) => name in ADVICE)
  const name = cause instanceof Error && cause.name !== 'Error' ? `${cause.name}: ` : ''
  // a store may answer with anything
  const reason = escapeName(`${name}${messageOf(cause)}`).slice(0, 400)
  const advice = ADVICE[code ?? ''] ?? AGAIN
  const retryable = advice === ENDPOINT || advice === AGAIN
  const message = `Cannot ${what} ${show(url)}: ${reason}; ${advice}`
  return new CliError('STORE', message, { cause, retryable })
}

function reasonsOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const code = 'code' in error && typeof error.code === 'string' ? [error.code] : []
  const nested = error instanceof AggregateError ? error.errors : [error.cause]
  return [error.name, ...code, ...nested.flatMap(reasonsOf)]
}
