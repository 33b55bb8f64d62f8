import type { PutObjectCommandInput, ServerSideEncryption, StorageClass } from '@aws-sdk/client-s3'
import type { S3Options } from './options.ts'

/** Names of the metadata that we give each object (`x-amz-meta-…`). */
export const META = {
  /** `FileSource.token`: which state of which file the object was made from. */
  token: 'upload-token',
  /** SHA-256 of the content in hex, where it is known before the first byte is sent. */
  sha256: 'sha256',
  /** Part size, from which the ETag of a multipart object can be computed. */
  partBytes: 'part-bytes',
} as const

type ObjectParams = Pick<
  PutObjectCommandInput,
  'ContentType' | 'ServerSideEncryption' | 'SSEKMSKeyId' | 'StorageClass' | 'Tagging'
>

/** What a new object is made with; only what was asked for, since stores refuse what they do not know. */
export function objectParams(key: string, options: S3Options): ObjectParams {
  const { serverSideEncryption: encryption = '', kmsKeyId, storageClass = '', tags = {} } = options
  return {
    ContentType: key.endsWith('.zip') ? 'application/zip' : 'application/octet-stream',
    ...(isEncryption(encryption) ? { ServerSideEncryption: encryption } : {}),
    ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    ...(isStorageClass(storageClass) ? { StorageClass: storageClass } : {}),
    ...(Object.keys(tags).length === 0
      ? {}
      : { Tagging: new URLSearchParams({ ...tags }).toString() }),
  }
}

// stores have values of their own, beyond the lists of AWS in the types of the SDK: the store decides

function isEncryption(value: string): value is ServerSideEncryption {
  return value !== ''
}

function isStorageClass(value: string): value is StorageClass {
  return value !== ''
}
