import { writeFile } from 'node:fs/promises'
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
  /** Ids of the multipart uploads that are open. */
  uploads(): Promise<string[]>
  /** Delete the objects below `prefix`. */
  deleteAll(prefix: string): Promise<void>
  /** Abort them, as a lifecycle rule does. */
  abortUploads(): Promise<void>
  fetch(key: string, path: string): Promise<void>
  /** Bytes of an object. */
  size(key: string): Promise<number>
  /** Stop the server; its objects stay. */
  down(): Promise<void>
  up(): Promise<void>
  /** Stop the server and remove its files. */
  stop(): Promise<void>
}

export const REGION = 'us-east-1'
export const BUCKET = 'core-dumps'

/** A client of the tests' own. */
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
      if (!Body) throw new Error(`${key} has no content`)
      await writeFile(path, Body.transformToWebStream())
    },
  }
}
