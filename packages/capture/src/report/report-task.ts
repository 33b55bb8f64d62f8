import type { CoreReasonCode } from '@core-dump-handler/bundle'
import type { ProcessSnapshot } from '@core-dump-handler/cri'
import type { Load } from '../concurrency/scheduler.ts'
import type { CaptureContext } from '../context.ts'
import type { CoreSource } from '../core-source.ts'
import type { Crash } from '../crash.ts'
import { monotonicMs } from '../system/monotonic-ms.ts'
import { within } from '../within.ts'
import type { CrashReport, ReportLevel } from './analyze-crash.ts'
import { type HeldProcess, holdProcess } from './held-process.ts'
import type { StackCapture } from './stack-capture.ts'

/** A process whose core is not wanted is kept no longer than this for its stacks. */
const READ_WAIT_MS = 250
/** Of a process that is released for good without its core: no file can be opened later. */
const OPEN_WAIT_MS = 500
/** For the fingerprint, which is that of the report only by the same files and stacks. */
const FINGERPRINT_READ_MS = 150
/** As much as is read ahead: 14 blocks. */
const MAX_READ_BYTES = 14 * 128 * 1024
/** There is no core: what the report has is all that is left of the crash. */
const NO_CORE: ReadonlySet<CoreReasonCode> = new Set([
  'CORE_REFUSED',
  'CORE_OVERSIZED',
  'CORE_NO_SPACE',
  'CORE_SUPPRESSED',
  'CORE_REPEATED',
])
const NOTHING: CrashReport = { entries: [], manifest: {} }

/** The report of one crash. No step rejects or costs more than the report: what fails is a warning. */
export class ReportTask {
  readonly #source: CoreSource
  readonly #context: CaptureContext
  readonly #held: HeldProcess | undefined
  #capture: StackCapture | undefined
  /** Bytes that `fingerprint` has looked at and that are still to come. */
  #known = 0

  /** Begins to open the files of the process's modules; with REPORT=off it does nothing. */
  constructor(
    crash: Crash,
    snapshot: ProcessSnapshot | undefined,
    source: CoreSource,
    context: CaptureContext,
  ) {
    this.#source = source
    this.#context = context
    if (!this.#isWanted) return
    try {
      this.#held = holdProcess(crash, snapshot, context.settings.procRoot)
    } catch (error) {
      void this.#guard(() => Promise.reject(error))
    }
  }

  /** Resolves when the process may be released, as far as its files are concerned. */
  async opened(): Promise<void> {
    await this.#held?.opened
  }

  /** Loads the code that reads a core, and begins to take what `onData` gets. */
  async load(): Promise<void> {
    if (!this.#isWanted || this.#capture !== undefined) return
    await this.#guard(async () => {
      const { StackCapture: Capture } = await import('./stack-capture.ts')
      this.#capture = new Capture(this.#held, () => this.#source.isHeld)
    })
  }

  /** For `drain`. */
  readonly onData = (bytes: Buffer): Promise<void> | undefined => this.#push(bytes)

  #push(bytes: Buffer, readMs?: number): Promise<void> | undefined {
    const known = Math.min(this.#known, bytes.length)
    this.#known -= known
    try {
      return this.#capture
        ?.push(bytes.subarray(known), readMs)
        ?.catch((error: unknown) => this.#fail(error))
    } catch (error) {
      return this.#fail(error)
    }
  }

  /**
   * The `id` of the crash's fingerprint, by what has been read ahead of its core, which can still be drained.
   * Undefined where the stack of the crash cannot be read yet, and with REPORT=off.
   */
  async fingerprint(): Promise<string | undefined> {
    if (!this.#isWanted) return undefined
    return this.#guard(async () => {
      await this.load()
      const { drainable, isHeld } = this.#source
      if (typeof drainable !== 'object' || !('peek' in drainable)) return undefined
      let known = 0
      for (const bytes of drainable.peek()) {
        await this.#push(bytes, FINGERPRINT_READ_MS)
        known += bytes.length
      }
      this.#known = known
      const capture = this.#capture
      await capture?.readEarly(FINGERPRINT_READ_MS)
      // a core that has been read to its end has no more
      if (capture === undefined || (isHeld && !capture.hasStacks)) return undefined
      if ((await this.#held?.openedWithin(OPEN_WAIT_MS)) === false) return undefined
      const { findFingerprint } = await import('./analyze-crash.ts')
      return findFingerprint(capture, this.#held)
    })
  }

  /** Of a core that is not wanted: opens the files in 500 ms, then reads registers and stacks in 250 ms and 1.75 MiB. */
  async readUnwanted(): Promise<void> {
    if (!this.#isWanted) return
    await this.#held?.openedWithin(OPEN_WAIT_MS)
    const deadlineMs = monotonicMs() + READ_WAIT_MS
    await this.#guard(async () => {
      await within(this.#source.open(), READ_WAIT_MS)
      await this.load()
      await this.#readAhead(deadlineMs)
      await this.#capture?.readEarly()
    })
  }

  /** The same of a core that was rejected while it was drained: what had been read ahead of it. */
  async readRest(): Promise<void> {
    await this.#guard(() => this.#readAhead(monotonicMs() + READ_WAIT_MS))
  }

  /** After the release. */
  async analyze(load: Load, reasonCode: CoreReasonCode | undefined): Promise<CrashReport> {
    const { warnings, settings } = this.#context
    const capture = this.#capture
    if (capture === undefined) return NOTHING
    const report = await this.#guard(async () => {
      const { analyzeCrash } = await import('./analyze-crash.ts')
      if (capture.hasTimedOut) {
        warnings.add('REPORT_INCOMPLETE', 'The memory of the process could not be read in time')
      }
      const hasCore = reasonCode === undefined || !NO_CORE.has(reasonCode)
      const { minicore } = settings
      return analyzeCrash(capture, this.#held, { ...this.#levelOf(load, hasCore), minicore })
    })
    this.close()
    return report ?? NOTHING
  }

  close(): void {
    this.#capture = undefined
    this.#held?.close()
  }

  get #isWanted(): boolean {
    return this.#context.settings.report !== 'off'
  }

  #levelOf(
    load: Load,
    hasCore: boolean,
  ): { readonly level: ReportLevel; readonly skipped: readonly string[] } {
    const { settings, stop } = this.#context
    const full = settings.report === 'crash' ? 'crash' : 'full'
    if (stop.signal.aborted) return { level: 'notes', skipped: ['stacks: the capture was stopped'] }
    if (load === 'low') return { level: full, skipped: [] }
    const skipped = ['storm: too many crashes at once for more']
    return { level: load === 'high' || !hasCore ? 'crash' : 'notes', skipped }
  }

  async #readAhead(deadlineMs: number): Promise<void> {
    const { drainable } = this.#source
    if (typeof drainable !== 'object' || !('begun' in drainable)) return
    for (let bytes = 0; bytes < MAX_READ_BYTES && this.#capture?.isDone === false;) {
      const leftMs = Math.max(0, deadlineMs - monotonicMs())
      const block = await within(drainable.begun.blocks.next(), leftMs)
      if (block === undefined) return
      bytes += block.length
      await this.#push(block.buffer.subarray(0, block.length), leftMs)
      block.release()
    }
  }

  #guard<T>(step: () => Promise<T>): Promise<T | undefined> {
    return this.#context.warnings.guard('REPORT_FAILED', step)
  }

  /** What is half read would be half true. */
  #fail(error: unknown): undefined {
    this.#capture = undefined
    void this.#guard(() => Promise.reject(error))
  }
}
