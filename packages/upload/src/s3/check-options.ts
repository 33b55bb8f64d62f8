import { UploadError } from '../error.ts'
import type { S3Options } from './options.ts'
import { MIN_PART_BYTES } from './part-size.ts'

/** Refuse settings that could never work; a secret is never repeated. */
export function checkS3Options(options: S3Options): void {
  const { endpoint, credentials, workers, maxAttempts, tags = {}, proxyEnv = {} } = options
  if (endpoint !== undefined) checkEndpoint(endpoint)
  if (
    typeof credentials === 'object' &&
    (!credentials.accessKeyId || !credentials.secretAccessKey)
  ) {
    throw invalid('credentials', 'both an access key and a secret, or neither', 'one of them empty')
  }
  for (const [name, value] of Object.entries(proxyEnv)) checkProxy(name, value)
  atLeast('partBytes', options.partBytes, MIN_PART_BYTES)
  atLeast('workers', workers, 1)
  atLeast('maxAttempts', maxAttempts, 1)
  atLeast('connectTimeoutMs', options.connectTimeoutMs, 1)
  atLeast('idleTimeoutMs', options.idleTimeoutMs, 1)
  if (Object.keys(tags).length > 10) {
    throw invalid('tags', 'at most 10 (S3 limit)', String(Object.keys(tags).length))
  }
}

function checkEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw invalid('endpoint', 'a URL such as `https://s3.example:9000`', 'something else')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('endpoint', 'no user and password in the URL: use `credentials`', 'both')
  }
}

function checkProxy(name: string, value: string): void {
  if (
    /^no_proxy$/i.test(name) ||
    (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol))
  )
    return
  throw invalid(`proxyEnv.${name}`, 'a URL such as `http://proxy.example:3128`', 'something else')
}

function atLeast(option: string, value: number | undefined, least: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
    throw invalid(option, `a whole number of at least ${least}`, String(value))
  }
}

function invalid(option: string, wanted: string, got: string): UploadError {
  return new UploadError('INVALID', `\`s3.${option}\`: expected ${wanted}, got ${got}`)
}
