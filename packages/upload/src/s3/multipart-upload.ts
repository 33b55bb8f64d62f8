import { basename } from 'node:path'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { isUploadError } from '../error.ts'
import { readRecord, removeRecord, writeRecord } from '../resume-record.ts'
import type { ResumeRecord } from '../resume-record.ts'
import { bareEtag } from './head.ts'
import { META, objectParams } from './object-params.ts'
import { MIN_PART_BYTES, partSize } from './part-size.ts'
import type { Store } from './store.ts'
import { conditionally } from './transfer.ts'
import type { Transfer } from './transfer.ts'

const GIB = 1024 ** 3
const COMPLETE_BASE_MS = 60_000
/** Some stores copy the parts together before they answer: 4 s per GiB were seen on a busy disk. */
const COMPLETE_PER_GIB_MS = 20_000

/** A part as the store has it. */
export interface StoredPart {
  readonly bytes: number
  readonly etag: string
}

/** A multipart upload of one file, and the record beside the file by which a later run resumes it. */
export class MultipartUpload {
  /** Parts that an earlier run has sent, by number. */
  readonly storedParts: ReadonlyMap<number, StoredPart>
  readonly #transfer: Transfer
  readonly #record: ResumeRecord

  private constructor(
    transfer: Transfer,
    record: ResumeRecord,
    storedParts: ReadonlyMap<number, StoredPart>,
  ) {
    this.#transfer = transfer
    this.#record = record
    this.storedParts = storedParts
  }

  /** Create an upload, and write its record. */
  static async begin(transfer: Transfer): Promise<MultipartUpload> {
    const { store, source, key, signal } = transfer
    const partBytes = partSize(source.size, store.partBytes)
    const command = new CreateMultipartUploadCommand({
      Bucket: store.bucket,
      Key: key,
      Metadata: { [META.token]: source.token, [META.partBytes]: String(partBytes) },
      ...objectParams(key, store.options),
    })
    const answer = await store.send('begin the upload of', key, command, { signal })
    const record: ResumeRecord = {
      file: basename(source.path),
      token: source.token,
      store: store.id,
      key,
      uploadId: answer.UploadId ?? '',
      partBytes,
      etagIsMd5: !(answer.ServerSideEncryption ?? '').startsWith('aws:kms'),
    }
    await writeRecord(source.path, record)
    return new MultipartUpload(transfer, record, new Map())
  }

  /** The upload that the record beside the file names; undefined when there is none that can go on. */
  static async resume(transfer: Transfer): Promise<MultipartUpload | undefined> {
    const { store, source, signal } = transfer
    const record = await readRecord(source.path)
    if (!record) return undefined
    const maxPartBytes = partSize(source.size, store.partBytes)
    // of a larger part size than today's: its buffers would take more memory than we may use
    const isUsable = record.partBytes >= MIN_PART_BYTES && record.partBytes <= maxPartBytes
    if (!isOf(record, transfer) || !isUsable) {
      await discardUpload(store, source.path, signal)
      return undefined
    }
    try {
      return new MultipartUpload(transfer, record, await listParts(store, record, signal))
    } catch (error) {
      if (!isUploadError(error)) throw error
      // completed, or aborted by a lifecycle rule or a person
      if (error.httpStatus === 404 && error.code !== 'NO_BUCKET') return undefined
      throw error
    }
  }

  get partBytes(): number {
    return this.#record.partBytes
  }

  /** False where the store encrypts, so that an ETag is not computed from the content. */
  get etagIsMd5(): boolean {
    return this.#record.etagIsMd5
  }

  /** Send one part; resolves with its ETag, empty when the store gives none. */
  async sendPart(part: number, body: Buffer): Promise<string> {
    const { store, key, signal } = this.#transfer
    const command = new UploadPartCommand({
      ...this.#names(),
      PartNumber: part,
      // a Buffer: its SHA-256 is signed, and the store checks it
      Body: body,
      ContentLength: body.length,
    })
    const answer = await store.send(`send part ${part} of`, key, command, { signal })
    return bareEtag(answer.ETag)
  }

  /** Join the parts; resolves with the ETag of the object, empty where the verification has to decide. */
  async complete(etags: readonly string[]): Promise<string> {
    const { store, source, key, signal } = this.#transfer
    const Parts = etags.map((ETag, index) => ({ PartNumber: index + 1, ETag: `"${ETag}"` }))
    const params = { ...this.#names(), MultipartUpload: { Parts } }
    const timeoutMs = COMPLETE_BASE_MS + Math.ceil((source.size / GIB) * COMPLETE_PER_GIB_MS)
    const etag = await conditionally(this.#transfer, (when) => {
      const command = new CompleteMultipartUploadCommand({ ...params, ...when })
      return store.send('complete', key, command, { signal, timeoutMs })
    }).then(
      (answer) => bareEtag(answer.ETag),
      (error: unknown) => {
        // completed by an attempt whose answer was lost, or not at all: the verification decides
        if (isUploadError(error) && error.storeCode === 'NoSuchUpload') return ''
        throw error
      },
    )
    await writeRecord(source.path, { ...this.#record, completed: true })
    return etag
  }

  /** Remove the record of an upload that is complete and verified. */
  async forget(): Promise<void> {
    await removeRecord(this.#transfer.source.path)
  }

  /** Abort the upload, so that the store frees its parts, and remove the record. */
  async discard(): Promise<void> {
    const { store, source, signal } = this.#transfer
    await discardUpload(store, source.path, signal)
  }

  #names(): { Bucket: string; Key: string; UploadId: string } {
    const { bucket: Bucket } = this.#transfer.store
    return { Bucket, Key: this.#record.key, UploadId: this.#record.uploadId }
  }
}

/** Abort the upload that the record beside `file` names, if it is in this store, and remove the record. */
export async function discardUpload(
  store: Store,
  file: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const record = await readRecord(file)
  if (record && record.store === store.id && record.completed !== true) {
    const { key: Key, uploadId: UploadId } = record
    const command = new AbortMultipartUploadCommand({ Bucket: store.bucket, Key, UploadId })
    await store.send('abort the upload of', Key, command, { signal }).catch((error: unknown) => {
      // aborted already; whatever else is left is for the bucket's lifecycle rule to free
      if (isUploadError(error) && error.scope === 'destination') throw error
    })
  }
  await removeRecord(file)
}

/** Whether an earlier run has completed this very transfer, but could not verify it. */
export async function isUnverified(transfer: Transfer): Promise<boolean> {
  const record = await readRecord(transfer.source.path)
  return record?.completed === true && isOf(record, transfer)
}

function isOf(record: ResumeRecord, { store, source, key }: Transfer): boolean {
  return record.token === source.token && record.store === store.id && record.key === key
}

/** What the store has of an upload, page by page. */
async function listParts(
  store: Store,
  { key: Key, uploadId: UploadId }: ResumeRecord,
  signal: AbortSignal | undefined,
): Promise<Map<number, StoredPart>> {
  const parts = new Map<number, StoredPart>()
  for (let marker: string | undefined; ;) {
    const page = new ListPartsCommand({
      Bucket: store.bucket,
      Key,
      UploadId,
      ...(marker === undefined ? {} : { PartNumberMarker: marker }),
    })
    const answer = await store.send('list the parts of', Key, page, { signal })
    for (const { PartNumber = 0, Size = -1, ETag } of answer.Parts ?? []) {
      parts.set(PartNumber, { bytes: Size, etag: bareEtag(ETag) })
    }
    const next = answer.NextPartNumberMarker ?? ''
    // a store that repeats a page would keep us in this loop
    if (answer.IsTruncated !== true || next === '' || next === marker) return parts
    marker = next
  }
}
