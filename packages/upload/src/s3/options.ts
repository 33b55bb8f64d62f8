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
  /** Keys, or who gives them: asked at the first use, and anew once the store has refused them. */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>)
  /** PEM file with the certificates to trust besides the system's. */
  readonly caFile?: string
  /**
   * Proxies, by the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` (or in lower case) as
   * Node's agents read them; needs Node 24.5, an earlier one goes without. @default none
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
   * SHA-256 of each request. `supported` adds the SDK's CRC, which an Object Lock bucket asks for.
   * @default 'required'
   */
  readonly checksum?: 'required' | 'supported'
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
