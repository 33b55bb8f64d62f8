import { resolve } from 'node:path'
import type { FileHandle } from 'node:fs/promises'
import type { Destination } from '../destination.ts'
import { isUploadError } from '../error.ts'
import { show } from '../text.ts'
import type { QueueEvent } from './events.ts'
import { lockExclusively } from './file-lock.ts'
import type { LockState } from './file-lock.ts'
import type { QueueOptions } from './options.ts'
import { sendFile } from './send-file.ts'
import type { Outcome } from './send-file.ts'

/**
 * `stored`: stored and deleted; `replaced`: stored, but another file has its name now; `undeletable`: stored,
 * but it cannot be deleted; `locked`: its writer is not done; `absent`: gone, or no regular file.
 */
export type Sent = 'stored' | 'replaced' | 'undeletable' | 'locked' | 'absent'

/** Sends files one by one and reports events; never one file twice at the same time. */
export class Sender {
  readonly #destination: Destination
  readonly #options: QueueOptions
  readonly #onEvent: (event: QueueEvent) => void
  readonly #active = new Set<string>()
  #lockMissing = false

  constructor(
    destination: Destination,
    options: QueueOptions,
    onEvent: (event: QueueEvent) => void,
  ) {
    this.#destination = destination
    this.#options = options
    this.#onEvent = onEvent
  }

  /** For the running queue, which reports failures itself. */
  async send(file: string, signal: AbortSignal, reportSkipped: boolean): Promise<Sent> {
    const outcome = await this.#send(file, signal)
    if (outcome.type === 'skipped') {
      if (reportSkipped && outcome.reason !== 'vanished') this.#onEvent({ ...outcome, file })
      return outcome.reason === 'locked' ? 'locked' : 'absent'
    }
    if (outcome.deleted) return 'stored'
    return outcome.cause === undefined ? 'replaced' : 'undeletable'
  }

  /** For a sweep: the bytes sent, undefined when it was skipped. */
  async once(file: string, signal?: AbortSignal): Promise<number | undefined> {
    try {
      const outcome = await this.#send(resolve(file), signal)
      if (outcome.type === 'stored') return outcome.bytes
      this.#onEvent({ ...outcome, file })
      return undefined
    } catch (error) {
      if (isUploadError(error)) this.#onEvent({ type: 'failed', file, error, attempt: 1 })
      throw error
    }
  }

  async #send(file: string, signal: AbortSignal | undefined): Promise<Outcome> {
    // a sweep meets the running queue: the other of the two sends it
    if (this.#active.has(file)) return { type: 'skipped', reason: 'locked' }
    this.#active.add(file)
    const started = performance.now()
    try {
      const outcome = await sendFile(file, this.#destination, {
        signal,
        key: this.#options.key,
        uniqueId: this.#options.uniqueId,
        lock: this.#options.lock === 'off' ? undefined : (handle) => this.#lock(handle),
        onStart: (bytes) => this.#onEvent({ type: 'started', file, bytes }),
        onProgress: (progress) => this.#onEvent({ type: 'progress', file, progress }),
      })
      if (outcome.type === 'stored') this.#stored(file, outcome, performance.now() - started)
      return outcome
    } finally {
      this.#active.delete(file)
    }
  }

  #stored(file: string, outcome: Outcome & { type: 'stored' }, durationMs: number): void {
    const { stored, deleted, mtimeMs, cause } = outcome
    const ageMs = Math.max(0, Date.now() - mtimeMs)
    this.#onEvent({ type: 'stored', file, stored, durationMs, ageMs, deleted })
    if (cause === undefined) return
    const message = `${show(file)} is stored but cannot be deleted here: delete it manually, or give this user access to its directory`
    this.#onEvent({ type: 'warning', code: 'DELETE', message, cause })
  }

  async #lock(handle: FileHandle): Promise<LockState> {
    if (this.#lockMissing) return 'unavailable'
    const program = this.#options.flockPath ?? 'flock'
    const state = await lockExclusively(handle, program)
    if (state === 'unavailable') {
      this.#lockMissing = true
      const message = `No lock can be taken with ${show(program)}: files of writers that lock instead of renaming may be sent too early`
      this.#onEvent({ type: 'warning', code: 'LOCK', message })
    }
    return state
  }
}
