import type { ServerSideEncryption, StorageClass } from '@aws-sdk/client-s3'
import type { S3Options } from './options.ts'

interface ObjectParams {
  ContentType: string
  ServerSideEncryption?: ServerSideEncryption
  SSEKMSKeyId?: string
  StorageClass?: StorageClass
  Tagging?: string
}

/** What a new object is made with; only what was asked for, since stores refuse what they do not know. */
export function objectParams(key: string, options: S3Options): ObjectParams {
  const { serverSideEncryption, kmsKeyId, storageClass, tags } = options
  return {
    ContentType: key.endsWith('.zip') ? 'application/zip' : 'application/octet-stream',
    // stores have values of their own: the type is a list of those that AWS knows
    ...(serverSideEncryption === undefined
      ? {}
      : { ServerSideEncryption: serverSideEncryption as ServerSideEncryption }),
    ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass }),
    ...(tags === undefined || Object.keys(tags).length === 0
      ? {}
      : { Tagging: new URLSearchParams({ ...tags }).toString() }),
  }
}
