import { UploadError } from '../error.ts'

const MIB = 1024 * 1024
/** S3: every part but the last has at least 5 MiB. */
export const MIN_PART_BYTES: number = 5 * MIB
/** S3: an upload has at most 10,000 parts. */
export const MAX_PARTS = 10_000
/** S3: a part has at most 5 GiB. */
const MAX_PART_BYTES = 5 * 1024 * MIB
/** S3: an object has at most 5 TiB (most stores) to 48.8 TiB (AWS); the parts allow the latter. */
export const MAX_OBJECT_BYTES: number = MAX_PART_BYTES * MAX_PARTS

/** Fixed keys; without them the SDK's whole chain is used (environment, profile, web identity, pod identity, instance role). */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Settings of an `s3://bucket/prefix` destination; what is not set is not sent. */
export interface S3Options {
  /** URL of a store other than AWS, such as `https://minio.example:9000`. */
  readonly endpoint?: string
  /** @default the SDK's (AWS_REGION, profile), else `us-east-1` */
  readonly region?: string
  /** Bucket in the path rather than in the host name. @default true when an `endpoint` is given */
  readonly pathStyle?: boolean
  /** Keys, or a function that gives them: called at the first use, and again once the store has refused them or the access. */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>)
  /** Files that `credentials` reads: when one of them changes, it is called again. */
  readonly credentialFiles?: readonly string[]
  /** PEM file with the certificates to trust besides the system's; read again when it changes. */
  readonly caFile?: string
  /**
   * Proxies, by the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` (or in lower case) as curl(1) and
   * Go's programs read them; needs Node 24.5, an earlier one goes without. @default none
   */
  readonly proxyEnv?: Readonly<Record<string, string>>
  /** `AES256`, `aws:kms` or `aws:kms:dsse`. */
  readonly serverSideEncryption?: string
  /** Key id or ARN for `aws:kms`. */
  readonly kmsKeyId?: string
  /** Such as `STANDARD_IA`. */
  readonly storageClass?: string
  readonly tags?: Readonly<Record<string, string>>
  /**
   * `required` sends no checksum that an older store would refuse: content is covered by the signed
   * SHA-256 of each request. `supported` adds a CRC-32, which an Object Lock bucket requires.
   * @default 'required'
   */
  readonly checksum?: 'required' | 'supported'
  /**
   * How an object is verified: `head` asks for it (s3:GetObject), `response` trusts the store's check of the
   * signed SHA-256 of each request and compares the checksum or ETag of its answer, for keys that may only write.
   * @default 'head'
   */
  readonly verify?: 'head' | 'response'
  /**
   * Bytes of a part, and largest file sent in one request; at least 5 MiB (S3's limit).
   * Grows by itself for files of more than 10,000 parts.
   * @default 8 MiB
   */
  readonly partBytes?: number
  /** Parts in flight over all transfers; memory is `workers` × `partBytes`. @default 2 */
  readonly workers?: number
  /** Attempts of the SDK for one request. @default 5 */
  readonly maxAttempts?: number
  /** @default 5000 */
  readonly connectTimeoutMs?: number
  /** A request on which nothing moves for so long is given up and tried again. @default 60000 */
  readonly idleTimeoutMs?: number
}

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

/** Smallest part size, `wanted` or more in whole MiB, with which `bytes` fit in 10,000 parts. */
export function partSize(bytes: number, wanted: number): number {
  const needed = Math.ceil(bytes / MAX_PARTS)
  if (needed > MAX_PART_BYTES) {
    throw new UploadError('TOO_LARGE', `${bytes} bytes are more than an S3 object can have`)
  }
  return needed <= wanted ? wanted : Math.ceil(needed / MIB) * MIB
}
