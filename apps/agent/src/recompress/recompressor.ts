import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { removeRecompressLeftOvers } from '@core-dump-handler/ingest'
import type { QueueEvent, WaitingFile } from '@core-dump-handler/upload'
import { messageOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import type { RecompressSettings } from '../settings/read-settings.ts'
import { recompressBundle, type Result } from './recompress-bundle.ts'
import { storedInHaste } from './stored-in-haste.ts'

export interface RecompressorOptions extends RecompressSettings {
  readonly minFreeBytes: number
  readonly log: Log
  readonly signal: AbortSignal
  /** While it is at work the bundle must not be dropped. */
  readonly onBegin: (name: string) => void
  /** The bundle may be sent now, as it is now. */
  readonly onDone: (name: string) => void
  readonly onResult: (result: Result) => void
}

const MAX_REMEMBERED = 10_000

/** Compresses bundles in full that were stored in haste, one at a time, while the queue holds them back. */
export class Recompressor {
  readonly #directory: string
  readonly #options: RecompressorOptions
  /** When each must go, whatever became of it; in the order of their turns. */
  readonly #deadlines = new Map<string, { readonly atMs: number; readonly bytes: number }>()
  readonly #done = new Set<string>()
  #working: Promise<void> | undefined

  constructor(directory: string, options: RecompressorOptions) {
    this.#directory = directory
    this.#options = options
  }

  /** Resolves when nothing is under way any more. */
  async ended(): Promise<void> {
    await this.#working
  }

  /** For the queue: how long this bundle is to be left alone. */
  readonly defer = ({ name, bytes }: WaitingFile): number => {
    const { minBytes, maxDelayMs, signal } = this.#options
    if (bytes < minBytes || this.#done.has(name) || signal.aborted) return 0
    const now = performance.now()
    const known = this.#deadlines.get(name)
    if (known !== undefined) return Math.max(0, known.atMs - now)
    this.#deadlines.set(name, { atMs: now + maxDelayMs, bytes })
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
    })
    return maxDelayMs
  }

  /** Told of all that the queue does: what has gone need not be remembered. */
  note(event: QueueEvent): void {
    if (event.type !== 'stored') return
    this.#done.delete(event.file.slice(this.#directory.length + 1))
  }

  async #work(): Promise<void> {
    for (;;) {
      const [next] = this.#deadlines
      if (next === undefined || this.#options.signal.aborted) return
      const [name, { atMs, bytes }] = next
      await this.#one(name, bytes, atMs - performance.now())
      if (this.#done.size >= MAX_REMEMBERED) this.#done.clear()
      this.#done.add(name)
      this.#deadlines.delete(name)
      this.#options.onDone(name)
    }
  }

  async #one(name: string, bytes: number, leftMs: number): Promise<void> {
    const { log, signal, minFreeBytes, onBegin, onResult } = this.#options
    const path = join(this.#directory, name)
    // of an upload that was interrupted a part is in the store already
    if (leftMs <= 0 || existsSync(join(this.#directory, `.${name}.upload.json`))) return
    const stored = await storedInHaste(path, bytes)
    if (stored === undefined) return
    const started = performance.now()
    onBegin(name)
    let result: Result
    try {
      await removeRecompressLeftOvers(this.#directory)
      const until = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(leftMs))])
      result = await recompressBundle(path, stored, minFreeBytes, until)
    } catch (error) {
      result = { outcome: 'failed', code: 'IO', message: messageOf(error) }
    }
    const durationMs = Math.round(performance.now() - started)
    if (result.outcome === 'stopped' || result.outcome === 'failed') await this.#tidy()
    tell(log, name, durationMs, result)
    onResult(result)
  }

  /** What a child that was killed has left; also tried at the next start. */
  async #tidy(): Promise<void> {
    await removeRecompressLeftOvers(this.#directory).catch(() => 0)
  }
}

function tell(log: Log, file: string, durationMs: number, result: Result): void {
  const facts = { file, durationMs }
  switch (result.outcome) {
    case 'replaced': {
      const { fromBytes, bytes } = result
      return log.info(
        { ...facts, fromBytes, bytes },
        'bundle compressed in full, before it is sent',
      )
    }
    case 'kept':
      return log.info(facts, 'bundle not compressed any further: it would save too little')
    case 'busy':
      return log.info(facts, 'bundle not compressed any further: another process has locked it')
    case 'stopped':
      return log.info(facts, 'compressing a bundle in full was stopped: it stays as it was')
    case 'failed': {
      const { code, message } = result
      return log.warn({ ...facts, code, problem: message }, 'bundle not compressed any further')
    }
  }
}
