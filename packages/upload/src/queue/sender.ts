import { spawn } from 'node:child_process'
import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Destination } from '../destination.ts'
import { isUploadError } from '../error.ts'
import type { UploadError } from '../error.ts'
import { show } from '../text.ts'
import type { QueueEvent, QueueOptions, SweepResult } from './options.ts'
import { SameFailure } from './pause.ts'
import { sendFile } from './send-file.ts'
import type { LockState, Outcome } from './send-file.ts'

/** Failures of the destination in a row after which a sweep does not try the rest. */
const MAX_DESTINATION_FAILURES = 3
/** Exit status of flock(1) when another process has the lock. */
const CONFLICT = 1
/** There is no program that takes the lock. */
const MISSING = new Set(['ENOENT', 'EACCES', 'ENOTDIR'])

/**
 * `stored`: stored and deleted; `replaced`: stored, but another file has its name now; `undeletable`: stored,
 * but it cannot be deleted; `locked`: its writer is not done; `absent`: gone, or no regular file.
 */
type Sent = 'stored' | 'replaced' | 'undeletable' | 'locked' | 'absent'

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

  /** Try each file once, several at a time. */
  async sweep(
    files: readonly string[],
    concurrency: number,
    signal?: AbortSignal,
  ): Promise<SweepResult> {
    const queue = files.values()
    const errors: UploadError[] = []
    const same = new SameFailure()
    let isFailing = false
    let stored = 0
    let skipped = 0
    let bytes = 0
    let tried = 0
    let inRow = 0
    const failed = (file: string, error: UploadError): void => {
      errors.push(error)
      inRow = error.scope === 'destination' ? inRow + 1 : 0
      const isSame = SameFailure.isEvidence(error) && same.add(file, error)
      isFailing ||= isSame || inRow >= MAX_DESTINATION_FAILURES
    }
    const worker = async (): Promise<void> => {
      for (const file of queue) {
        tried++
        try {
          const sent = await this.#once(file, signal)
          if (sent === undefined) skipped++
          else stored++
          bytes += sent ?? 0
          inRow = 0
          same.clear()
        } catch (error) {
          if (!isUploadError(error)) throw error
          failed(file, error)
        }
        if (isFailing || signal?.aborted === true) return
      }
    }
    await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker))
    return { stored, failed: errors.length, skipped, untried: files.length - tried, bytes, errors }
  }

  /** For a sweep: the bytes sent, undefined when it was skipped. */
  async #once(file: string, signal?: AbortSignal): Promise<number | undefined> {
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

/**
 * Try for an exclusive flock(2) through util-linux or busybox `flock` on an inherited descriptor: the lock
 * belongs to the open file and stays with us when the program ends. Node has no flock of its own, and
 * the packages that have are native; those without are no flock at all.
 */
async function lockExclusively(handle: FileHandle, program: string): Promise<LockState> {
  const tried = Promise.withResolvers<LockState>()
  const child = spawn(program, ['-x', '-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', handle.fd],
  })
  child.once('error', (error: NodeJS.ErrnoException) =>
    // no program; anything else, such as no process left, may pass: the file is tried later
    tried.resolve(MISSING.has(error.code ?? '') ? 'unavailable' : 'held'),
  )
  child.once('exit', (status) =>
    tried.resolve(status === 0 ? 'ours' : status === CONFLICT ? 'held' : 'unavailable'),
  )
  return tried.promise
}
