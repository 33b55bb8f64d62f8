import { setTimeout as sleep } from 'node:timers/promises'
import { abortable, aborted } from '../../abortable.ts'
import type { Stored } from '../../destination.ts'
import type { PartsState, PartsWriter, PutPartsOptions } from '../../parts-writer.ts'
import type { Loan } from '../buffer-pool.ts'
import { MAX_PARTS, MIN_PART_BYTES, partSize } from '../part-size.ts'
import { sendPart } from '../send-parts.ts'
import type { Sending, Store } from '../store.ts'
import { type Confirmed, abortParts, completeParts, putWhole } from './complete-parts.ts'
import { beginParts, findParts } from './open-parts.ts'

/** A part in a buffer of the pool: being filled, on its way, or failed. */
interface Part {
  readonly loan: Loan
  readonly number: number
  length: number
  isSent: boolean
  etag?: string
}

/** A part that is cut short may come to its end in the store behind the abort (S3, AbortMultipartUpload): it is freed by another. */
const LATE_PART_MS = 2000

/** Parts of one object, each from a buffer of the destination's pool: what it takes of memory is theirs. */
export class S3PartsWriter implements PartsWriter {
  readonly #store: Store
  readonly #key: string
  readonly #wanted: string
  readonly #options: PutPartsOptions
  readonly #partBytes: number
  readonly #ending = new AbortController()
  readonly #sending: Sending
  #begun: Promise<PartsState> | undefined
  #state: PartsState | undefined
  #isCompleted = false
  /** In their order, from the first that is not confirmed on. */
  #parts: Part[] = []
  #count: number
  #bytes: number
  #confirmedBytes: number
  #failure: { readonly error: unknown } | undefined
  #work = new Set<Promise<void>>()

  /** `key` without the prefix. */
  constructor(store: Store, key: string, options: PutPartsOptions) {
    const { resume, signal, expectedBytes = 0 } = options
    this.#store = store
    this.#wanted = key
    this.#key = store.prefix + key
    this.#options = options
    this.#count = resume?.etags.length ?? 0
    this.#bytes = this.#count * (resume?.partBytes ?? 0)
    this.#confirmedBytes = this.#bytes
    const [left, least] = [MAX_PARTS - this.#count, resume?.partBytes ?? MIN_PART_BYTES]
    this.#partBytes =
      expectedBytes > left * least ? partSize(MAX_PARTS * (expectedBytes / left), least) : least
    this.#state = this.#count > 0 ? resume : undefined
    const ends = this.#ending.signal
    this.#sending = { signal: signal ? AbortSignal.any([signal, ends]) : ends }
  }

  get confirmedBytes(): number {
    return this.#confirmedBytes
  }

  get state(): PartsState | undefined {
    return this.#state
  }

  /** Look whether what an earlier writer has sent is there. */
  async find(): Promise<this> {
    const { resume } = this.#options
    if (resume === undefined) return this
    this.#isCompleted = (await findParts(this.#store, resume, this.#sending)) === 'completed'
    this.#begun = Promise.resolve(resume)
    return this
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length
    // nothing to send: all but the size of the whole is known
    if (this.#isCompleted) return
    for (let at = 0; at < bytes.length;) {
      const part = await this.#open()
      const taken = bytes.subarray(at, at + this.#partBytes - part.length)
      part.loan.buffer.set(taken, part.length)
      part.length += taken.length
      at += taken.length
      if (part.length === this.#partBytes) this.#send(part)
    }
  }

  async finish(): Promise<Stored> {
    const { etag, parts } = await this.#end().finally(() => this.#letGo())
    return {
      url: this.#store.url(this.#key),
      key: this.#wanted,
      bytes: this.#bytes,
      outcome: 'stored',
      parts,
      keptParts: this.#options.resume?.etags.length ?? 0,
      ...(etag === '' ? {} : { etag }),
    }
  }

  unconfirmed(): Uint8Array[] {
    return this.#parts.map(({ loan, length }) => Buffer.from(loan.buffer.subarray(0, length)))
  }

  async leave(): Promise<void> {
    this.#ending.abort(aborted(this.#ending.signal))
    await Promise.all(this.#work)
    this.#letGo()
  }

  async abort(): Promise<void> {
    const isCutShort = this.#work.size > 0
    await this.leave()
    const state = await this.#begun?.catch(() => undefined)
    if (state === undefined) return
    await abortParts(this.#store, state)
    if (!isCutShort) return
    await sleep(LATE_PART_MS, undefined, { signal: this.#options.signal }).catch(() => {})
    await abortParts(this.#store, state)
  }

  async #end(): Promise<Confirmed> {
    const last = this.#parts.at(-1)
    this.#throwIfFailed()
    if (this.#begun === undefined && this.#count <= 1) {
      const body = last?.loan.buffer.subarray(0, last.length) ?? Buffer.alloc(0)
      return putWhole(this.#store, this.#key, body, this.#sending)
    }
    if (last !== undefined && !last.isSent) this.#send(last)
    await Promise.all(this.#work)
    this.#throwIfFailed()
    const state = this.#state ?? (await this.#begin())
    // a last part that is shorter than the others
    const etags = [...state.etags, ...this.#parts.map(({ etag = '' }) => etag)]
    return completeParts(this.#store, { ...state, etags }, this.#bytes, this.#sending)
  }

  /** The part that has room. */
  async #open(): Promise<Part> {
    const last = this.#parts.at(-1)
    if (last !== undefined && last.length < this.#partBytes) return last
    this.#throwIfFailed()
    const loan = await this.#store.pool
      .take(this.#partBytes, this.#sending.signal)
      .catch((error: unknown) => {
        throw this.#reason(error)
      })
    const part: Part = { loan, number: ++this.#count, length: 0, isSent: false }
    this.#parts.push(part)
    return part
  }

  /** Why, when it is the failure of a part that has ended it all. */
  #reason(error: unknown): unknown {
    return this.#failure === undefined ? error : this.#failure.error
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #send(part: Part): void {
    if (part.isSent) return
    part.isSent = true
    const work = this.#carry(part)
      .catch((error: unknown) => {
        this.#failure ??= { error }
        // whoever waits for a buffer would wait for one that is kept
        this.#ending.abort(error)
      })
      .finally(() => this.#work.delete(work))
    this.#work.add(work)
  }

  async #carry(part: Part): Promise<void> {
    const begun = await abortable(this.#begin(), this.#sending.signal)
    const body = part.loan.buffer.subarray(0, part.length)
    part.etag = await sendPart(this.#store, begun, part.number, body, this.#sending)
    this.#confirm(begun)
  }

  /** Not cut short by `leave`: of an upload that the store has begun without our knowing its id nothing could be freed. */
  #begin(): Promise<PartsState> {
    const { signal } = this.#options
    const sending = signal ? { signal } : {}
    return (this.#begun ??= beginParts(this.#store, this.#key, this.#partBytes, sending))
  }

  /** All whole parts up to the first that is still on its way; one that is shorter can only be the last. */
  #confirm(begun: PartsState): void {
    for (let [part] = this.#parts; part?.etag !== undefined; [part] = this.#parts) {
      if (part.length < this.#partBytes) return
      const before = this.#state ?? begun
      this.#state = { ...before, etags: [...before.etags, part.etag] }
      this.#confirmedBytes += part.length
      this.#parts.shift()
      part.loan[Symbol.dispose]()
      this.#options.onConfirmed?.(this.#state)
    }
  }

  #letGo(): void {
    for (const { loan } of this.#parts) loan[Symbol.dispose]()
    this.#parts = []
  }
}
