import type { UploadErrorCode } from '../error.ts'

/** Errors of a connection that say that nobody is there, or not any more. */
export const NETWORK: RegExp =
  /^(E(CONN|HOST|NET|TIMEDOUT|PIPE|ADDRNOTAVAIL|AI_AGAIN)|ENOTFOUND|HPE_|UND_|ERR_SOCKET|ERR_STREAM)/

/** Errors of a certificate or a handshake (OpenSSL's verify codes, Node's own, and EPROTO for no TLS at all). */
export const TLS: RegExp =
  /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED|HOSTNAME_|EPROTO)/

/** The stores' codes (S3 API reference, "List of error codes"; MinIO, Ceph, Swift, versitygw have a few more). */
export const CODES: Readonly<Record<string, UploadErrorCode>> = {
  CredentialsProviderError: 'NO_CREDENTIALS',
  TokenProviderError: 'NO_CREDENTIALS',
  ProviderError: 'NO_CREDENTIALS',
  InvalidIdentityToken: 'NO_CREDENTIALS',
  InvalidIdentityTokenException: 'NO_CREDENTIALS',
  SignatureDoesNotMatch: 'WRONG_SECRET',
  InvalidAccessKeyId: 'WRONG_SECRET',
  InvalidClientTokenId: 'WRONG_SECRET',
  XAdminUserNotFound: 'WRONG_SECRET',
  NotSignedUp: 'WRONG_SECRET',
  ExpiredToken: 'EXPIRED',
  ExpiredTokenException: 'EXPIRED',
  InvalidToken: 'WRONG_SECRET',
  TokenRefreshRequired: 'EXPIRED',
  RequestTimeTooSkewed: 'CLOCK',
  RequestExpired: 'CLOCK',
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
  SlowDown: 'THROTTLED',
  ServiceUnavailable: 'THROTTLED',
  Throttling: 'THROTTLED',
  ThrottlingException: 'THROTTLED',
  TooManyRequests: 'THROTTLED',
  TooManyRequestsException: 'THROTTLED',
  RequestLimitExceeded: 'THROTTLED',
  BandwidthLimitExceeded: 'THROTTLED',
  InsufficientStorage: 'FULL',
  XMinioStorageFull: 'FULL',
  QuotaExceeded: 'FULL',
  XMinioAdminBucketQuotaExceeded: 'FULL',
  EntityTooLarge: 'TOO_LARGE',
  BadDigest: 'MISMATCH',
  InvalidDigest: 'MISMATCH',
  XAmzContentSHA256Mismatch: 'MISMATCH',
  IncompleteBody: 'MISMATCH',
  InternalError: 'STORE',
  OperationAborted: 'STORE',
  ConditionalRequestConflict: 'STORE',
  RequestTimeout: 'STORE',
  NoSuchUpload: 'STORE',
  InvalidPart: 'STORE',
  InvalidPartOrder: 'STORE',
}

/** What a person can do about it. */
export const TODO: Partial<Readonly<Record<UploadErrorCode, string>>> = {
  NO_CREDENTIALS:
    'Give an access key and its secret, or a role (web identity, pod identity, instance profile)',
  WRONG_SECRET: 'Check the access key and its secret, and that they belong to this store',
  EXPIRED: 'The credentials have expired: they are asked for again at the next attempt',
  CLOCK: 'Set the clock of this machine: the store refuses requests more than minutes apart',
  NO_BUCKET: 'Create the bucket, or correct its name, the region or the endpoint',
  WRONG_REGION: "Set the bucket's own region",
  DENIED:
    'Allow s3:PutObject, s3:GetObject (to verify), s3:AbortMultipartUpload and s3:ListMultipartUploadParts on the objects',
  UNREACHABLE:
    'Check the endpoint, DNS, network policy and whether the store runs; it is tried again',
  TLS: "Give the store's certificate authority as CA file, renew its certificate or correct the endpoint's host name; it is tried again",
  THROTTLED: 'The store asks for patience; it is tried again',
  REFUSED:
    'The store does not take this request: check the storage class, encryption, tags and checksum settings',
  FULL: 'Free some space in the store or raise its quota; it is tried again',
  TOO_LARGE: 'The store takes no object of this size',
  MISMATCH: 'The content was damaged on its way; it is sent again',
}
