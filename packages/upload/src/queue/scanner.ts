import { lstat, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Destination } from '../destination.ts'
import { isUploadError } from '../error.ts'
import { parseRecord } from '../resume-record.ts'
import type { ResumeRecord } from '../resume-record.ts'
import { show } from '../text.ts'
import type { Backlog } from './backlog.ts'
import { list, measure } from './list.ts'
import type { QueueEvent } from './options.ts'

/** Requests that come together cause one scan. */
const MIN_GAP_MS = 20
/** Scans take a tenth of the time at most, however many files wait and requests come. */
const GAP_PER_COST = 9
/** But among tens of thousands a new file is found soon, also while the others are sent. */
const MAX_GAP_MS = 2000
const ORPHANS_EVERY_MS = 600_000
/** Of a temporary file that a killed run has left. */
const STALE_MS = 3_600_000
const AT_ONCE = 64
/** Longer than a tick of any file system's clock: what came after a scan has a later time. */
const SETTLED_MS = 2000
/** For file systems that do not record when a directory changes. */
const LIST_EVERY_MS = 300_000

/** Brings the backlog up to date with the directory: on request, on a timer, never too often. */
export class Scanner {
  readonly #directory: string
  readonly #destination: Destination
  readonly #backlog: Backlog
  readonly #onEvent: (event: QueueEvent) => void
  #requested = false
  #last = -Infinity
  #gap = 0
  #orphansAt = -Infinity
  #missing = false
  #state = ''
  #stateAt = -Infinity
  #listedAt = -Infinity
  #settled = false
  #tidying: Promise<void> = Promise.resolve()

  constructor(
    directory: string,
    destination: Destination,
    backlog: Backlog,
    onEvent: (event: QueueEvent) => void,
  ) {
    this.#directory = directory
    this.#destination = destination
    this.#backlog = backlog
    this.#onEvent = onEvent
  }

  /** There is a reason to scan. */
  request(): void {
    this.#requested = true
  }

  /** Find this file as a new one at the next scan, whether the directory has changed or not. */
  forget(name: string): void {
    this.#backlog.forget(name)
    this.#state = ''
    this.#settled = false
  }

  nextTime(rescanMs: number): number {
    return this.#requested ? this.#last + this.#gap : this.#last + rescanMs
  }

  due(now: number, rescanMs: number): boolean {
    return now >= this.nextTime(rescanMs)
  }

  async scan(signal: AbortSignal): Promise<void> {
    this.#requested = false
    const started = performance.now()
    if (await this.#isUnchanged(started)) {
      this.#last = performance.now()
      this.#gap = MIN_GAP_MS
      return
    }
    const { bundles, records } = await this.#list()
    const added = this.#backlog.sync(bundles)
    for (let i = 0; i < added.length; i += AT_ONCE) {
      await Promise.all(added.slice(i, i + AT_ONCE).map((name) => this.#add(name)))
    }
    this.#listedAt = started
    this.#settled = added.length === 0 && started - this.#stateAt >= SETTLED_MS
    this.#last = performance.now()
    const gap = (this.#last - started) * GAP_PER_COST
    this.#gap = Math.min(Math.max(MIN_GAP_MS, gap), MAX_GAP_MS)
    if (records.length > 0 && this.#last >= this.#orphansAt) {
      this.#orphansAt = this.#last + ORPHANS_EVERY_MS
      // not waited for: a store that hangs must not delay the scans
      this.#tidying = this.#dropOrphans(records, bundles, signal)
    }
  }

  /** Resolves when the work that a scan started is done. */
  async settled(): Promise<void> {
    await this.#tidying
  }

  /** Tens of thousands of names are not read again while the directory's times show that none came or went. */
  async #isUnchanged(now: number): Promise<boolean> {
    const state = await stat(this.#directory, { bigint: true }).then(
      ({ dev, ino, mtimeNs, ctimeNs }) => `${dev}:${ino}:${mtimeNs}:${ctimeNs}`,
      () => undefined,
    )
    if (state === undefined || state !== this.#state) {
      this.#state = state ?? ''
      this.#stateAt = now
      this.#settled = false
    }
    return this.#settled && now - this.#listedAt < LIST_EVERY_MS
  }

  async #list(): ReturnType<typeof list> {
    try {
      const listing = await list(this.#directory)
      this.#missing = false
      return listing
    } catch (cause) {
      const message = `Cannot read the directory ${show(this.#directory)}: it is tried again`
      if (!this.#missing) this.#onEvent({ type: 'warning', code: 'DIRECTORY', message, cause })
      this.#missing = true
      return { bundles: [], records: [] }
    }
  }

  async #add(name: string): Promise<void> {
    const size = await measure(this.#directory, name)
    if (size) this.#backlog.add(name, size)
  }

  async #dropOrphans(
    records: readonly string[],
    bundles: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await dropOrphans(this.#directory, records, bundles, this.#destination, signal)
    } catch (cause) {
      if (signal.aborted) return
      const message = isUploadError(cause) ? cause.message : 'Cannot abort interrupted uploads'
      this.#onEvent({ type: 'warning', code: 'ABANDON', message, cause })
    }
  }
}

/** Free what the store keeps of interrupted uploads whose file is gone; nothing else does. */
export async function dropOrphans(
  directory: string,
  records: readonly string[],
  bundles: readonly string[],
  destination: Destination,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = new Set(bundles)
  for (const name of records) {
    const path = join(directory, name)
    if (!name.endsWith('.json')) {
      await dropStale(path)
      continue
    }
    const record = await parseRecord(path)
    if (!record) await dropStale(path)
    else if (!waiting.has(record.file) && !(await isThere(directory, record))) {
      await destination.abandon(join(directory, record.file), signal ? { signal } : {})
    }
  }
}

/** A temporary file of a killed run that wrote a record. */
async function dropStale(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined)
  if (stats && Date.now() - stats.mtimeMs > STALE_MS) await rm(path, { force: true })
}

/** The file, also while it is written. */
async function isThere(directory: string, { file, unfinished }: ResumeRecord): Promise<boolean> {
  if (unfinished !== undefined && (await exists(join(directory, unfinished)))) return true
  // last: it gets this name only before it loses the other one
  return exists(join(directory, file))
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
