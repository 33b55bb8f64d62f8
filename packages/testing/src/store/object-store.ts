import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'

export interface S3Account {
  readonly endpoint: string
  readonly accessKey: string
  readonly secret: string
}

/** A real S3 server on loopback with one bucket. */
export interface ObjectStore extends S3Account {
  readonly bucket: string
  keys(): Promise<string[]>
  /** Upload ids under way. */
  uploads(): Promise<string[]>
  /** Delete the objects below `prefix`. */
  deleteAll(prefix: string): Promise<void>
  /** End them all, as a lifecycle rule does. */
  abortUploads(): Promise<void>
  fetch(key: string, path: string): Promise<void>
  /** Bytes of an object. */
  size(key: string): Promise<number>
  /** Delete the objects below `prefix`. */
  deleteAll(prefix: string): Promise<void>
  /** Take the server down; what it stores stays. */
  down(): Promise<void>
  up(): Promise<void>
  /** Down for good, files removed. */
  stop(): Promise<void>
}

export const REGION = 'us-east-1'
export const BUCKET = 'core-dumps'

/** What a test asks the store itself, beside the product. */
export function storeClient(
  account: S3Account,
  { bucket: Bucket, region } = { bucket: BUCKET, region: REGION },
): {
  createBucket(): Promise<void>
  keys(prefix?: string): Promise<string[]>
} & Pick<ObjectStore, 'uploads' | 'abortUploads' | 'fetch' | 'size' | 'deleteAll'> {
  const s3 = new S3Client({
    endpoint: account.endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: account.accessKey, secretAccessKey: account.secret },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const keys = async (Prefix = ''): Promise<string[]> => {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }))
    return Contents.map(({ Key = '' }) => Key)
  }
  return {
    keys,
    async createBucket() {
      await s3.send(new CreateBucketCommand({ Bucket }))
    },
    async deleteAll(prefix) {
      for (const Key of await keys(prefix)) await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    },
    async uploads() {
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }))
      return Uploads.map(({ UploadId = '' }) => UploadId)
    },
    async abortUploads() {
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }))
      for (const { Key, UploadId } of Uploads) {
        await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
      }
    },
    async size(key) {
      const { ContentLength } = await s3.send(new HeadObjectCommand({ Bucket, Key: key }))
      return ContentLength ?? 0
    },
    async fetch(key, path) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: key }))
      await pipeline(Body as Readable, createWriteStream(path))
    },
  }
}
