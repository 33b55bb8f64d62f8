import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PartFile, ZipSink } from '@core-dump-handler/ingest'
import type { BundleUpload, CaptureContext } from '../context.ts'
import { monotonicMs } from '../timing.ts'
import { errorCode, errorMessage } from '../text.ts'
import { freeOrInfinite } from './disk-limits.ts'

const MIB = 2 ** 20
/** A shorter bundle has no part that is final before its end: it is uploaded when it is published. */
const START_BYTES = 16 * MIB
/** The end of a core that is cut is taken back to a place where its data can end, at most so far. */
const MARGIN_BYTES = MIB
/** Assumed until the upload has begun. */
const PART_BYTES = 8 * MIB
/** Left free above MIN_FREE_BYTES, for other crashes, by bundles that have more than their share on the disk. */
const HEADROOM_BYTES = 64 * MIB
/** Left free by every core: for reports, manifests and the records of uploads. */
const METADATA_BYTES = 16 * MIB
/** The free space is looked at after so many bytes. */
const CHECK_BYTES = 4 * MIB
const POLL_MS = 20
/** So long nothing may be freed before a core is cut. */
const STALL_MS = 60_000
/** After a stop the end of a bundle waits so long for a full disk. */
const STOPPED_STALL_MS = 3000
const NO_SPACE: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT'])

/** Those of this process that have a core to write. */
const writers = new Set<StoreSink>()

export interface StoreSinkOptions {
  readonly uuid: string
  /** @default 60000 */
  readonly stallMs?: number
}

/**
 * A bundle whose parts go to the store while its core is read. All of it is written to the disk first; the disk
 * is freed of what the store has confirmed, and while it is full the core waits: the kernel holds the process.
 */
export class StoreSink implements ZipSink {
  /** Length of the core, once its ELF headers are read. */
  expectedBytes: number | undefined
  readonly #part: PartFile
  readonly #context: CaptureContext
  readonly #uuid: string
  readonly #stallMs: number
  #isCore = false
  #writing: Promise<void> = Promise.resolve()
  /** Length of the file up to which it may be written without another look at the disk. */
  #roomBytes = 0
  /** 0: what others may need is used, before the core is cut. */
  #headroomBytes = HEADROOM_BYTES
  /** When waiting for room ends, and what the last look found. */
  #deadlineMs: number | undefined
  #freedBytes = 0
  #diskBytes = Infinity
  /** Since when what follows the core has found the disk full, until a write succeeds. */
  #fullSinceMs: number | undefined
  #beginning: Promise<void> | undefined
  #upload: BundleUpload | undefined
  #failure: Error | undefined
  /** The file was cut before what the store has of it. */
  #isObsolete = false

  constructor(
    part: PartFile,
    context: CaptureContext,
    { uuid, stallMs = STALL_MS }: StoreSinkOptions,
  ) {
    this.#part = part
    this.#context = context
    this.#uuid = uuid
    this.#stallMs = stallMs
  }

  /** From here on writes wait for room. */
  beginCore(): void {
    this.#isCore = true
    writers.add(this)
  }

  /** The core has ended: what the store has not confirmed stays in the file. Idempotent. */
  async endCore(): Promise<void> {
    this.#isCore = false
    writers.delete(this)
    await this.#beginning
    await this.#upload?.stop()
  }

  /** The bundle is complete: it may be published, and its upload continued. */
  async seal(): Promise<void> {
    if (!this.#isObsolete) await this.#whileFull(async () => this.#upload?.seal())
  }

  /** To be called at the end, whatever became of the bundle. */
  async close(): Promise<void> {
    await this.endCore()
    await this.#upload?.[Symbol.asyncDispose]()
  }

  write(chunks: readonly Uint8Array[]): void {
    this.#part.write(chunks)
  }

  // not async: `truncate` waits for this very promise, after the caller does
  writeOnPool(chunks: readonly Uint8Array[]): Promise<void> {
    this.#writing = this.#isCore
      ? this.#writeCore(chunks)
      : this.#whileFull(() => this.#writeWhole(chunks))
    return this.#writing
  }

  /** All of the chunks or none. */
  async #writeWhole(chunks: readonly Uint8Array[]): Promise<void> {
    const before = this.#part.bytes
    try {
      await this.#part.writeOnPool(chunks)
    } catch (error) {
      this.#part.truncate(before)
      throw error
    }
  }

  /** Tries again while the disk is full: no process is held by what follows its core, and uploaded bundles leave the disk. */
  async #whileFull(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work()
        this.#fullSinceMs = undefined
        return
      } catch (error) {
        if (!NO_SPACE.has(errorCode(error))) throw error
        this.#fullSinceMs ??= monotonicMs()
        const isStopped = this.#context.stop.signal.aborted || this.#failure !== undefined
        const limitMs = Math.min(this.#stallMs, isStopped ? STOPPED_STALL_MS : Infinity)
        if (monotonicMs() - this.#fullSinceMs > limitMs) throw error
        await sleep(POLL_MS)
      }
    }
  }

  async #writeCore(chunks: readonly Uint8Array[]): Promise<void> {
    for (let isFull = false; ; isFull = true) {
      await this.#room(isFull)
      try {
        await this.#writeWhole(chunks)
        this.#upload?.advance(this.#part.bytes - MARGIN_BYTES)
        return
      } catch (error) {
        if (!NO_SPACE.has(errorCode(error))) throw error
      }
    }
  }

  async patch(bytes: Uint8Array, position: number): Promise<void> {
    await this.#part.patch(bytes, position)
  }

  async truncate(length: number): Promise<void> {
    await this.endCore()
    // a core that is taken back may still wait for room
    await this.#writing.catch(() => {})
    const { partBytes = 0, freedBytes = 0 } = this.#upload ?? {}
    if (freedBytes > 0 && length < partBytes + freedBytes) {
      if (length > partBytes) throw new Error(`only the store has the bytes from ${partBytes} on`)
      this.#isObsolete = true
    }
    this.#part.truncate(length)
  }

  /** Resolves when there is room for the next bytes; `isFull`: a write has found none. */
  async #room(isFull: boolean): Promise<void> {
    const { settings, directory, warnings } = this.#context
    const { bytes } = this.#part
    if (settings.straightToStore === 'always' && bytes >= START_BYTES) this.#begin()
    if (bytes >= (this.#upload?.maxBytes ?? Infinity)) throw noRoom('the store takes no more parts')
    if (!isFull && bytes < this.#roomBytes) return
    for (let isFirst = true; ; isFirst = false) {
      const free = await this.#freeOfOthers()
      const { partBytes = PART_BYTES, freedBytes = 0 } = this.#upload ?? {}
      // the first part, and two that are being sent
      const isModest = bytes - freedBytes <= 3 * partBytes + MARGIN_BYTES
      const reserve = isModest ? 0 : settings.minFreeBytes + this.#headroomBytes
      const wanted = CHECK_BYTES + Math.max(METADATA_BYTES, reserve)
      if (free >= wanted && !(isFull && isFirst)) {
        this.#roomBytes = bytes + CHECK_BYTES
        if (this.#headroomBytes > 0) this.#deadlineMs = undefined
        return
      }
      this.#begin()
      const isFreed = freedBytes > this.#freedBytes || free > this.#diskBytes
      if (this.#deadlineMs === undefined || isFreed) {
        this.#deadlineMs = monotonicMs() + this.#stallMs
      }
      this.#freedBytes = freedBytes
      this.#diskBytes = free
      const why = this.#whyNotWait()
      if (why === undefined) {
        await sleep(POLL_MS)
        continue
      }
      const reason = `\`${directory}\` has ${free} bytes free, and ${why}`
      if (this.#headroomBytes === 0) throw noRoom(reason)
      // what is left of the disk is used before the core is cut
      this.#headroomBytes = 0
      if (this.#isCore) warnings.add('STORE_UPLOAD', reason)
    }
  }

  /** What is free of the disk, less what others of this process may write without another look. */
  async #freeOfOthers(): Promise<number> {
    const before = this.#grantedToOthers()
    const free = await freeOrInfinite(dirname(this.#part.path))
    // one may have been granted room meanwhile, another may have written since
    return free - Math.max(before, this.#grantedToOthers())
  }

  #grantedToOthers(): number {
    let bytes = 0
    for (const writer of writers) {
      if (writer !== this) bytes += Math.max(0, writer.#roomBytes - writer.#part.bytes)
    }
    return bytes
  }

  /** Why no more room will come; undefined while it may. */
  #whyNotWait(): string | undefined {
    const error = this.#upload?.failure ?? this.#failure
    const last = error === undefined ? '' : `: ${errorMessage(error)}`
    if (!this.#isCore) return 'the core is not wanted any more'
    if (this.#context.stop.signal.aborted) return `the capture was stopped${last}`
    if (this.#failure !== undefined || this.#upload?.isOver === true) {
      return `nothing more can be sent to the store${last}`
    }
    if (monotonicMs() <= (this.#deadlineMs ?? Infinity)) return undefined
    return `the store confirmed no part for ${this.#stallMs} ms${last}`
  }

  #begin(): void {
    const { uploadBundle, log } = this.#context
    if (uploadBundle === undefined) return
    const { path, finalPath } = this.#part
    const { expectedBytes } = this
    this.#beginning ??= uploadBundle({ path, finalPath, uuid: this.#uuid, expectedBytes }).then(
      (upload) => {
        this.#upload = upload
        if (this.#isCore) upload.advance(this.#part.bytes - MARGIN_BYTES)
      },
      (error: unknown) => {
        this.#failure = new Error(errorMessage(error))
        log.write('warn', `Cannot send \`${finalPath}\` to the store: ${errorMessage(error)}`)
      },
    )
  }
}

/** As the system reports a full disk, so that the core is cut as on one. */
function noRoom(reason: string): Error {
  return Object.assign(new Error(`The core was cut: ${reason}`), { code: 'ENOSPC' })
}
