import type { CoreReasonCode } from '@core-dump-handler/bundle'
import type { ProcessSnapshot } from '@core-dump-handler/cri'
import type { Load } from '../concurrency/scheduler.ts'
import type { CaptureContext } from '../context.ts'
import type { CoreSource } from '../core-source.ts'
import type { Crash } from '../crash.ts'
import { monotonicMs, within } from '../timing.ts'
import type { CrashReport, ReportLevel } from './analyze-crash.ts'
import { heldDirectory, HeldProcess } from './held-process.ts'
import type { IsolatedReport } from '../context.ts'
import type { StackCapture, StackReader } from './stack-capture.ts'

/** A process whose core is not wanted is kept no longer than this for its stacks. */
const READ_WAIT_MS = 250
/** Of a process that is released for good without its core: no file can be opened later. */
const OPEN_WAIT_MS = 500
/** For the fingerprint, which is that of the report only by the same files and stacks. */
const FINGERPRINT_READ_MS = 150
/** As much as is read ahead: 14 blocks. */
const MAX_READ_BYTES = 14 * 128 * 1024
const MANY_THREADS = 64
/** There is no core: what the report has is all that is left of the crash. */
const NO_CORE: ReadonlySet<CoreReasonCode> = new Set([
  'CORE_REFUSED',
  'CORE_OVERSIZED',
  'CORE_NO_SPACE',
  'CORE_SUPPRESSED',
  'CORE_REPEATED',
])
const NOTHING: CrashReport = { entries: [], manifest: {} }
const STORM = 'storm: too many crashes at once for more'
const SKIPPED: CrashReport = { entries: [], manifest: { reportSkipped: [`report: ${STORM}`] } }

/** The report of one crash. No step rejects or costs more than the report: what fails is a warning. */
export class ReportTask {
  readonly #source: CoreSource
  readonly #context: CaptureContext
  readonly #directoryOfProcess: () => string | undefined
  #held: HeldProcess | undefined
  #isolated: IsolatedReport | undefined
  #capture: StackCapture | undefined
  /** Bytes that `fingerprint` has looked at and that are still to come. */
  #known = 0
  /** So many crashes wait that there will be no time for stacks: nothing of the process is opened. */
  #isInStorm: boolean

  /**
   * Begins to open the files of the process's modules; with REPORT=off and BINARIES=false it does nothing.
   * `load`: how many captures share the node.
   */
  constructor(
    crash: Crash,
    snapshot: ProcessSnapshot | undefined,
    source: CoreSource,
    context: CaptureContext,
    load: Load = 'low',
  ) {
    const { isolated, settings } = context
    this.#source = source
    this.#context = context
    this.#directoryOfProcess = () => heldDirectory(crash, snapshot, settings.procRoot)
    this.#isInStorm =
      load === 'storm' &&
      isolated === undefined &&
      !settings.binaries &&
      // the core of which may be rejected when it can be read no more
      settings.coresPerFingerprint === 0 &&
      settings.oversizedCore !== 'refuse'
    if (!this.#isInStorm && (this.#isWanted || settings.binaries)) this.#hold()
  }

  #hold(): void {
    const { isolated } = this.#context
    try {
      const directory = this.#directoryOfProcess()
      if (isolated !== undefined) this.#isolated = isolated.report(directory)
      else if (directory !== undefined) this.#held = new HeldProcess(directory)
    } catch (error) {
      void this.#guard(() => Promise.reject(error))
    }
  }

  /** Resolves when the process may be released, as far as its files are concerned. */
  async opened(): Promise<void> {
    await (this.#isolated ?? this.#held)?.opened
  }

  /** Loads the code that reads a core, and begins to take what `onData` gets. */
  async load(): Promise<void> {
    if (!this.#isWanted || this.#capture !== undefined) return
    await this.#guard(async () => {
      const { NO_STACKS, StackCapture: Capture, stackReader } = await import('./stack-capture.ts')
      const ofProcess = this.#held && stackReader(this.#held)
      const { onManyThreads } = this.#context
      const prepared =
        ofProcess && onManyThreads ? preparedFor(ofProcess, onManyThreads) : ofProcess
      const reader = this.#isolated ?? prepared
      const limits = this.#isBusy || this.#isInStorm ? NO_STACKS : undefined
      this.#capture = new Capture(reader, () => this.#source.isHeld, limits)
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
    if (!this.#isWanted || this.#isBusy) return undefined
    return this.#guard(async () => {
      await this.load()
      const { ahead, isHeld } = this.#source
      if (ahead === undefined) return undefined
      let known = 0
      for (const bytes of ahead.peek()) {
        await this.#push(bytes, FINGERPRINT_READ_MS)
        known += bytes.length
      }
      this.#known = known
      const capture = this.#capture
      await capture?.readEarly(FINGERPRINT_READ_MS)
      // a core that has been read to its end has no more
      if (capture === undefined || (isHeld && !capture.hasStacks)) return undefined
      if (this.#isolated !== undefined) return this.#isolated.fingerprint(capture)
      if ((await this.#held?.openedWithin(OPEN_WAIT_MS)) === false) return undefined
      const { findFingerprint } = await import('./analyze-crash.ts')
      return findFingerprint(capture, this.#held)
    })
  }

  /** Of a core that is not wanted: opens the files in 500 ms, then reads registers and stacks in 250 ms and 1.75 MiB. */
  async readUnwanted(): Promise<void> {
    // a core that can be rejected costs nothing: not even its beginning is read then
    if (!this.#isWanted || this.#isBusy) return
    // the report is all that is left of this crash
    if (this.#isInStorm) this.#hold()
    this.#isInStorm = false
    if (this.#isolated !== undefined) await this.#isolated.opened
    else await this.#held?.openedWithin(OPEN_WAIT_MS)
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

  /** After the drain: keeps what was captured until it is analysed, where there is room for it. */
  keep(): void {
    const capture = this.#capture
    if (capture !== undefined && this.#isolated?.keep(capture) === false) this.#capture = undefined
  }

  /** After the release. */
  async analyze(load: Load, reasonCode: CoreReasonCode | undefined): Promise<CrashReport> {
    const { warnings, settings } = this.#context
    const capture = this.#capture
    if (capture === undefined) return this.#isBusy ? SKIPPED : NOTHING
    const report = await this.#guard(async () => {
      if (capture.hasTimedOut) {
        warnings.add('REPORT_INCOMPLETE', 'The memory of the process could not be read in time')
      }
      const hasCore = reasonCode === undefined || !NO_CORE.has(reasonCode)
      const options = { ...this.#levelOf(load, hasCore), minicore: settings.minicore }
      if (this.#isolated !== undefined) return this.#isolated.analyze(capture, options)
      const { analyzeCrash } = await import('./analyze-crash.ts')
      return analyzeCrash(capture, this.#held, options)
    })
    if (this.#isolated === undefined) capture.free()
    if (settings.binaries) this.#capture = undefined
    else this.close()
    return report ?? NOTHING
  }

  /** For BINARIES=true, when the bundle is published: see `copyBinaries`. */
  async copyBinaries(load: Load, reasonCode: CoreReasonCode | undefined): Promise<void> {
    const { settings, directory, log } = this.#context
    if (this.#isolated === undefined) {
      const { copyBinaries } = await import('../binaries/copy-binaries.ts')
      return copyBinaries(this.#held, { load, reasonCode }, this.#context)
    }
    const lines = await this.#isolated.copyBinaries({ load, reasonCode, settings, directory })
    for (const line of lines) log.write(...line)
  }

  close(): void {
    this.#capture = undefined
    this.#held?.close()
    this.#isolated?.close()
  }

  get #isWanted(): boolean {
    return this.#context.settings.report !== 'off'
  }

  /** Too many crashes are captured at once by this process. */
  get #isBusy(): boolean {
    return this.#isolated?.isBusy === true
  }

  #levelOf(
    load: Load,
    hasCore: boolean,
  ): { readonly level: ReportLevel; readonly skipped: readonly string[] } {
    const { settings, stop } = this.#context
    const full = settings.report === 'crash' ? 'crash' : 'full'
    if (stop.signal.aborted) return { level: 'notes', skipped: ['stacks: the capture was stopped'] }
    const isCut = this.#isBusy || this.#isInStorm
    if (load === 'low' && !isCut) return { level: full, skipped: [] }
    const skipped = [STORM]
    if (isCut) return { level: 'notes', skipped }
    return { level: load === 'high' || !hasCore ? 'crash' : 'notes', skipped }
  }

  async #readAhead(deadlineMs: number): Promise<void> {
    const { ahead } = this.#source
    if (ahead === undefined) return
    for (let bytes = 0; bytes < MAX_READ_BYTES && this.#capture?.isDone === false;) {
      const leftMs = Math.max(0, deadlineMs - monotonicMs())
      const block = await within(ahead.begun.blocks.next(), leftMs)
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

/** Calls `onManyThreads` before the stacks of many threads are read. */
function preparedFor(reader: StackReader, onManyThreads: () => Promise<void>): StackReader {
  return {
    async readStacks(facts, readMs) {
      if (facts.threads.length > MANY_THREADS) {
        await onManyThreads()
      }
      return reader.readStacks(facts, readMs)
    },
  }
}
