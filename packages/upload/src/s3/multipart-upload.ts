import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { abortable, graceOf, throwIfAborted } from '../abortable.ts'
import { isUploadError } from '../error.ts'
import { lostUpload } from '../growing-state.ts'
import { readRecord, removeRecord, writeRecord } from '../resume-record.ts'
import type { ResumeRecord } from '../resume-record.ts'
import {
  abortUpload,
  discardById,
  discardUpload,
  isRefused,
  listParts,
  partsWith,
} from './multipart-requests.ts'
import type { StoredPart } from './multipart-requests.ts'
import { META, objectParams } from './object-params.ts'
import { MIN_PART_BYTES, partSize } from './options.ts'
import { conditionally, isOf, newRecord } from './transfer.ts'
import type { Transfer } from './transfer.ts'
import {
  bareEtag,
  confirms,
  etagIsMd5,
  isJoinedFrom,
  isMd5,
  md5Of,
  mixedUp,
  s3Crc32,
  unconfirmed,
} from './verify-answer.ts'

const GIB = 1024 ** 3
const COMPLETE_BASE_MS = 60_000
/** Some stores copy the parts together before they answer: 4 s per GiB were seen on a busy disk. */
const COMPLETE_PER_GIB_MS = 20_000
/** A shutdown waits so long for the id of an upload that was just created, so that it can be resumed. */
const CREATE_GRACE_MS = 1500

/** A part as it is named at completion. */
export interface SentPart {
  readonly etag: string
  readonly crc32: string | undefined
}

/** Uploads in progress here: no other transfer of this process takes one for a left-over. */
const IN_PROGRESS = new Set<string>()

/** Keys of uploads that are being created here: the store may have one already whose id we do not know yet. */
const BEGINNING: string[] = []

/** A multipart upload of one file, and the record beside the file by which a later run resumes it. */
export class MultipartUpload implements Disposable {
  /** Parts that an earlier run has sent, by number. */
  readonly storedParts: ReadonlyMap<number, StoredPart>
  readonly #transfer: Transfer
  readonly #record: ResumeRecord
  readonly #etags: Set<string>

  private constructor(
    transfer: Transfer,
    record: ResumeRecord,
    storedParts: ReadonlyMap<number, StoredPart>,
  ) {
    this.#transfer = transfer
    this.#record = record
    this.storedParts = storedParts
    this.#etags = new Set([...storedParts.values()].map(({ etag }) => etag))
    IN_PROGRESS.add(record.uploadId)
  }

  [Symbol.dispose](): void {
    IN_PROGRESS.delete(this.#record.uploadId)
  }

  /** Create an upload, write its record, and abort what an earlier run left under the key without a record. */
  static async begin(transfer: Transfer): Promise<MultipartUpload> {
    const id = `${transfer.store.id} ${transfer.key}`
    BEGINNING.push(id)
    try {
      return await MultipartUpload.#begin(transfer)
    } finally {
      BEGINNING.splice(BEGINNING.indexOf(id), 1)
    }
  }

  static async #begin(transfer: Transfer): Promise<MultipartUpload> {
    if (transfer.freed !== undefined) throw lostUpload(transfer.source, 'has no record')
    const { store, source, key, signal } = transfer
    const partBytes = partSize(source.size, store.partBytes)
    // without it an Object Lock bucket refuses parts that have a checksum
    const checksum = store.options.checksum === 'supported' ? ({ checksum: 'CRC32' } as const) : {}
    const command = new CreateMultipartUploadCommand({
      Bucket: store.bucket,
      Key: key,
      Metadata: { [META.token]: source.token, [META.partBytes]: String(partBytes) },
      ...(checksum.checksum ? { ChecksumAlgorithm: checksum.checksum } : {}),
      ...objectParams(key, store.options),
    })
    throwIfAborted(signal)
    using grace = graceOf(signal, CREATE_GRACE_MS)
    const creating = store.send('begin the upload of', key, command, { signal: undefined })
    const answer = await abortable(creating, grace.signal, ({ UploadId = '' }) => {
      abortUpload(store, { key, uploadId: UploadId }, undefined).catch(() => {})
    })
    const record: ResumeRecord = {
      ...newRecord(transfer, answer.UploadId ?? ''),
      partBytes,
      etagIsMd5: etagIsMd5(answer),
      ...checksum,
    }
    await writeRecord(source.path, record, { isDurable: true })
    throwIfAborted(signal)
    const upload = new MultipartUpload(transfer, record, new Map())
    await abortOthers(transfer)
    return upload
  }

  /** The upload that the record beside the file names; undefined when there is none that can go on. */
  static async resume(transfer: Transfer): Promise<MultipartUpload | undefined> {
    const { store, source, signal } = transfer
    const record = await readRecord(source.path)
    if (!record) return undefined
    const maxPartBytes = partSize(source.size, store.partBytes)
    const checksum = store.options.checksum === 'supported' ? 'CRC32' : undefined
    // of a larger part size than today's: its buffers would take more memory than we may use
    const isUsable =
      record.partBytes >= MIN_PART_BYTES &&
      record.partBytes <= maxPartBytes &&
      record.checksum === checksum
    const { freed } = transfer
    if (freed !== undefined) {
      if (!isOf(record, transfer) || record.completed === true) {
        throw lostUpload(transfer.source, 'is completed already, or of another key')
      }
      return new MultipartUpload(transfer, record, await partsWith(freed, transfer, record))
    }
    if (!isOf(record, transfer) || !isUsable || record.completed === true) {
      await discardUpload(store, source.path, signal)
      return undefined
    }
    try {
      return new MultipartUpload(transfer, record, await listParts(store, record, signal))
    } catch (error) {
      if (!isRefused(error)) throw error
      // completed, aborted, or not allowed to be listed: all is sent again, and the next record replaces this one
      await abortUpload(store, record, signal).catch(() => throwIfAborted(signal))
      return undefined
    }
  }

  get id(): string {
    return this.#record.uploadId
  }

  /** What a later run needs to go on. */
  get record(): ResumeRecord {
    return this.#record
  }

  get partBytes(): number {
    return this.#record.partBytes
  }

  /** False where the store encrypts, so that an ETag is not computed from the content. */
  get etagIsMd5(): boolean {
    return this.#record.etagIsMd5
  }

  /** CRC-32 of a part, where the upload has checksums. */
  checksumOf(body: Buffer): string | undefined {
    return this.#record.checksum === undefined ? undefined : s3Crc32(body)
  }

  /** Send one part; resolves with its ETag. */
  async sendPart(part: number, body: Buffer, crc32: string | undefined): Promise<string> {
    const { store, key, signal } = this.#transfer
    const command = new UploadPartCommand({
      ...this.#names(),
      PartNumber: part,
      // a Buffer: its SHA-256 is signed, and the store checks it
      Body: body,
      ContentLength: body.length,
      ...(crc32 === undefined ? {} : { ChecksumCRC32: crc32 }),
    })
    const answer = await store.send(`send part ${part} of`, key, command, { signal })
    const etag = bareEtag(answer.ETag)
    const isPlain = this.etagIsMd5 && etagIsMd5(answer)
    if (store.verifiesByAnswer && etag !== '' && !confirms(answer, body, isPlain)) {
      throw unconfirmed(store.url(key))
    }
    // computed only when two parts have one ETag: an MD5 of everything would cost a second per GiB
    const isRepeated = this.etagIsMd5 && this.#etags.has(etag) && isMd5(etag)
    if (etag === '' || (isRepeated && etag !== md5Of(body))) throw mixedUp(store.url(key), part)
    this.#etags.add(etag)
    return etag
  }

  /** Join the parts; resolves with the ETag of the object, empty where the verification has to decide. */
  async complete(parts: readonly SentPart[]): Promise<string> {
    const { store, source, key, signal } = this.#transfer
    const Parts = parts.map(({ etag, crc32 }, index) => ({
      PartNumber: index + 1,
      ETag: `"${etag}"`,
      ...(crc32 === undefined ? {} : { ChecksumCRC32: crc32 }),
    }))
    const params = { ...this.#names(), MultipartUpload: { Parts } }
    const timeoutMs = COMPLETE_BASE_MS + Math.ceil((source.size / GIB) * COMPLETE_PER_GIB_MS)
    const answer = await conditionally(
      this.#transfer,
      (when) => {
        const command = new CompleteMultipartUploadCommand({ ...params, ...when })
        return store.send('complete', key, command, { signal, timeoutMs })
      },
      this.id,
    ).catch((error: unknown) => {
      // completed by an attempt whose answer was lost, or not at all: the verification decides
      if (isUploadError(error) && error.storeCode === 'NoSuchUpload') return undefined
      throw error
    })
    const etag = bareEtag(answer?.ETag)
    const partEtags = parts.map((part) => part.etag)
    // Ceph 16 answers with an empty ETag, and the page of a proxy has none of the three
    const isOfStore = etag !== '' || (answer?.Location ?? answer?.Key) !== undefined
    const confirmed = isOfStore && (!this.etagIsMd5 || isJoinedFrom(partEtags, etag))
    await writeRecord(source.path, { ...this.#record, completed: true, confirmed })
    if (store.verifiesByAnswer && !confirmed) throw unconfirmed(store.url(key))
    return etag
  }

  /** Remove the record of an upload that is complete and verified. */
  async forget(): Promise<void> {
    await removeRecord(this.#transfer.source.path)
  }

  /** Abort the upload, so that the store frees its parts, and remove its record. */
  discard(): Promise<void> {
    return discardById(this.#transfer, this.id)
  }

  #names(): { Bucket: string; Key: string; UploadId: string } {
    const { bucket: Bucket } = this.#transfer.store
    return { Bucket, Key: this.#record.key, UploadId: this.#record.uploadId }
  }
}

/** Uploads of this key that no record names: of a run that was killed, or of an attempt whose answer was lost. */
async function abortOthers({ store, key, shared, signal }: Transfer): Promise<void> {
  if (!store.listsUploads || shared) return
  const command = new ListMultipartUploadsCommand({ Bucket: store.bucket, Prefix: key })
  try {
    const { Uploads = [] } = await store.send('list the uploads of', key, command, { signal })
    const id = `${store.id} ${key}`
    if (BEGINNING.filter((each) => each === id).length > 1) return
    for (const { Key, UploadId } of Uploads) {
      if (Key !== key || UploadId === undefined || IN_PROGRESS.has(UploadId)) continue
      await abortUpload(store, { key, uploadId: UploadId }, signal)
    }
  } catch (error) {
    throwIfAborted(signal)
    // without s3:ListBucketMultipartUploads the lifecycle rule frees them
    if (isRefused(error)) store.listsUploads = false
  }
}
