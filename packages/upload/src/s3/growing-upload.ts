import { randomUUID } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../abortable.ts'
import type { GrowingFile, GrowingUpload } from '../destination.ts'
import { isUploadError } from '../error.ts'
import { openForReading, type FileSource, tokenOf } from '../file-source.ts'
import { appendToKey } from '../key.ts'
import { backoff } from '../queue/backoff.ts'
import { type FreedPart, type ResumeRecord, saveRecord } from '../resume-record.ts'
import { MultipartUpload } from './multipart-upload.ts'
import { MAX_PARTS, partSize } from './options.ts'
import type { Store } from './store.ts'

const RETRY = { minDelayMs: 500, maxDelayMs: 10_000 }

/** See `GrowingUpload`; parts are sent side by side, and confirmed, recorded and freed in their order. */
export class S3GrowingUpload implements GrowingUpload {
  readonly maxBytes: number
  readonly partBytes: number
  failure: Error | undefined
  readonly #store: Store
  readonly #file: GrowingFile
  readonly #handle: FileHandle
  readonly #key: string
  readonly #stop = new AbortController()
  readonly #freed: FreedPart[] = []
  #upload: Promise<MultipartUpload> | undefined
  #record: ResumeRecord | undefined
  /** Index of the next part to be sent. */
  #next = 1
  #final = 0
  #sending = 0
  #confirmed: Promise<void> = Promise.resolve()

  private constructor(store: Store, file: GrowingFile, key: string, handle: FileHandle) {
    this.#store = store
    this.#file = file
    this.#handle = handle
    // without a request: an upload that others abort, as they do for equal keys, would be lost
    const isUnique = basename(key).includes(file.uniqueId)
    this.#key = store.prefix + (isUnique ? key : appendToKey(key, file.uniqueId))
    this.partBytes = partSize(file.maxBytes ?? 0, store.partBytes)
    this.maxBytes = this.partBytes * MAX_PARTS
  }

  static async open(store: Store, file: GrowingFile, key: string): Promise<S3GrowingUpload> {
    return new S3GrowingUpload(
      store,
      file,
      key,
      await openForReading(file.path, { isWritten: true }),
    )
  }

  get freedBytes(): number {
    return this.#freed.length * this.partBytes
  }

  get isOver(): boolean {
    return this.#stop.signal.aborted && this.#sending === 0
  }

  advance(bytes: number): void {
    this.#final = Math.max(this.#final, bytes)
    const { count } = this.#store.pool
    while (
      this.#sending < count &&
      !this.#stop.signal.aborted &&
      (this.#next + 1) * this.partBytes <= this.#final
    ) {
      this.#start(this.#next++)
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#confirmed
    const upload = await this.#upload?.catch(() => undefined)
    upload?.[Symbol.dispose]()
  }

  async seal(): Promise<void> {
    if (this.#record === undefined) return
    // after a power-off a record of a finished file must not be all that is left of it
    await this.#handle.sync()
    const stats = await this.#handle.stat({ bigint: true })
    await this.#save({ sealed: tokenOf(basename(this.#file.finalPath), stats) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.#handle.close()
  }

  #start(index: number): void {
    this.#sending++
    const sent = this.#sendUntilStored(index)
    // the chain below reports it, in its turn
    sent.catch(() => {})
    this.#confirmed = this.#confirmed
      .then(async () => this.#free(index, await sent))
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted && error instanceof Error) this.failure = error
        // no later part may be freed: the freed ones have no gap
        this.#stop.abort()
      })
      .finally(() => {
        this.#sending--
        this.advance(0)
      })
  }

  /** Sends a part again and again; rejects when sending has ended, or when the upload is lost. */
  async #sendUntilStored(index: number): Promise<FreedPart> {
    return this.#retry(async (signal) => {
      const upload = await this.#begun()
      using loan = await this.#store.pool.take(this.partBytes, signal)
      const body = await this.#read(loan.buffer, index * this.partBytes)
      const crc32 = upload.checksumOf(body)
      const etag = await upload.sendPart(index + 1, body, crc32)
      return { etag, ...(crc32 !== undefined && { crc32 }) }
    })
  }

  async #retry<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#stop
    for (let failures = 1; ; failures++) {
      throwIfAborted(signal)
      try {
        const result = await work(signal)
        this.failure = undefined
        return result
      } catch (error) {
        throwIfAborted(signal)
        const isLost = isUploadError(error) && !error.resumable && error.code !== 'MISMATCH'
        if (isLost || !(error instanceof Error)) throw error
        this.failure = error
        await sleep(backoff(failures, RETRY), undefined, { signal })
      }
    }
  }

  async #begun(): Promise<MultipartUpload> {
    this.#upload ??= this.#begin().catch((error: unknown) => {
      this.#upload = undefined
      throw error
    })
    return this.#upload
  }

  async #begin(): Promise<MultipartUpload> {
    const upload = await MultipartUpload.begin({
      store: this.#store,
      source: this.#source(),
      key: this.#key,
      condition: 'absent',
      // the key is unique: there are no left-overs of it
      shared: true,
      unfinished: basename(this.#file.path),
      signal: this.#stop.signal,
      onProgress: () => {},
    })
    // here nothing may be freed, and no upload is left behind, without it
    await saveRecord(this.#file.finalPath, upload.record).catch(async (error: unknown) => {
      upload[Symbol.dispose]()
      await upload.discard()
      throw error
    })
    this.#record = upload.record
    return upload
  }

  /** What the upload needs of a file that has no size yet. */
  #source(): FileSource {
    return {
      path: this.#file.finalPath,
      size: this.#file.maxBytes ?? 0,
      allocatedBytes: 0,
      inode: '',
      token: randomUUID().replaceAll('-', ''),
      read: unused,
      assertUnchanged: unused,
      [Symbol.asyncDispose]: unused,
    }
  }

  async #read(buffer: Buffer, position: number): Promise<Buffer> {
    for (let done = 0; done < this.partBytes;) {
      const wanted = this.partBytes - done
      const { bytesRead } = await this.#handle.read(buffer, done, wanted, position + done)
      if (bytesRead === 0) throw new Error('The file became shorter while it was sent')
      done += bytesRead
    }
    return buffer.subarray(0, this.partBytes)
  }

  /** The record comes first: the next reader of the file knows that the range is freed. */
  async #free(index: number, part: FreedPart): Promise<void> {
    throwIfAborted(this.#stop.signal)
    await this.#retry(async () => this.#save({ freed: [...this.#freed, part] }))
    this.#freed.push(part)
    await this.#file.free(this.#handle.fd, index * this.partBytes, this.partBytes)
  }

  async #save(facts: Pick<ResumeRecord, 'freed'> | Pick<ResumeRecord, 'sealed'>): Promise<void> {
    if (this.#record === undefined) throw new Error('The upload has not begun')
    const record = { ...this.#record, ...facts }
    await saveRecord(this.#file.finalPath, record)
    this.#record = record
  }
}

async function unused(): Promise<never> {
  throw new Error('The file is still written')
}
