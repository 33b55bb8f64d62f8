import { within } from '@core-dump-handler/capture'
import type {
  CrashReport,
  BinariesOf,
  IsolatedReport,
  LogLine,
  KeptCore,
  ReportOptions,
  StackCopy,
} from '@core-dump-handler/capture/report'
import { type CoreFacts, plainFacts, WindowMemory } from '@core-dump-handler/report'
import { Helper } from '../helper/helper.ts'

const NO_REGISTERS = 'report: the core has no registers that could be read'
/** The helper gives up the opening of files after 100 ms; more is its own slowness. */
const HOLD_TIMEOUT_MS = 150
/** A helper that replaces another one has to load its code first. */
const START_TIMEOUT_MS = 1000
/** As the reading of the memory is given up by the helper, and as much for its own slowness. */
const STACKS_TIMEOUT_MS = 300
/** The helper's own limit is 2 s; a helper that takes longer hangs in a read. */
const REPORT_TIMEOUT_MS = 4000
/** While the process is held: 500 ms for its files, as much for its stack. */
const FINGERPRINT_TIMEOUT_MS = 1200
/** Waiting for another copier, and copying, take 70 s at most. */
const BINARIES_TIMEOUT_MS = 80_000
/** Of registers and stacks that wait for their report, of all crashes. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024

/** Makes the reports of all crashes in one helper process; one that hangs is given up and replaced. */
export class ReportHelpers {
  readonly #program: readonly string[] | undefined
  #helper: Helper | undefined
  #nextId = 1
  #keptBytes = 0

  constructor(program?: readonly string[]) {
    this.#program = program
  }

  /** Starts a helper, so that no crash waits for that; resolves when it is ready, or does not start. */
  async warmUp(): Promise<void> {
    await this.use().ready
  }

  close(): void {
    this.#helper?.kill()
  }

  /** The report of the process in `directory`; `isBusy`: too many crashes at once to read it. */
  start(directory: string | undefined, isBusy: boolean): HelperReport {
    return new HelperReport(this, isBusy ? undefined : directory, isBusy)
  }

  use(): Helper {
    if (this.#helper === undefined || this.#helper.retired) {
      this.#helper = new Helper('reports', this.#program)
    }
    return this.#helper
  }

  nextId(): number {
    return this.#nextId++
  }

  /** Counts bytes that are kept; false where there is no room for them. */
  reserve(bytes: number): boolean {
    if (this.#keptBytes + bytes > MAX_KEPT_BYTES) return false
    this.#keptBytes += bytes
    return true
  }

  free(bytes: number): void {
    this.#keptBytes -= bytes
  }
}

/** One report of a helper. */
class HelperReport implements IsolatedReport {
  isBusy: boolean
  readonly opened: Promise<unknown>
  readonly #helpers: ReportHelpers
  readonly #helper: Helper
  readonly #hold: number | undefined
  #keptBytes = 0
  #isClosed = false

  constructor(helpers: ReportHelpers, directory: string | undefined, isBusy: boolean) {
    this.isBusy = isBusy
    this.#helpers = helpers
    this.#helper = helpers.use()
    if (directory === undefined) {
      this.opened = Promise.resolve()
      return
    }
    this.#hold = helpers.nextId()
    const hold = { type: 'hold', id: this.#hold, directory } as const
    const timeoutMs = this.#helper.isReady ? HOLD_TIMEOUT_MS : START_TIMEOUT_MS
    const held = Promise.withResolvers<unknown>()
    this.opened = within(held.promise, timeoutMs)
    this.#helper.send(hold, held.resolve)
  }

  async readStacks(facts: CoreFacts, readMs: number): Promise<StackCopy | 'late' | undefined> {
    const hold = this.#hold
    if (hold === undefined) return undefined
    const id = this.#helpers.nextId()
    const request = { type: 'stacks', id, hold, facts: plainFacts(facts), readMs } as const
    const reply = await this.#helper.ask(request, readMs + STACKS_TIMEOUT_MS)
    if (reply?.type !== 'stacks' || reply.copied === 'late') return 'late'
    if (reply.copied === 'none') return undefined
    // the helper has them
    return { memory: new WindowMemory(), isComplete: reply.copied === 'all' }
  }

  keep({ facts, ofCore }: KeptCore): boolean {
    // the notes, and what was parsed of them
    const bytes = 2 * (facts?.notes.length ?? 0) + (ofCore?.bytes ?? 0)
    const hasRoom = this.#helpers.reserve(bytes)
    if (hasRoom) this.#keptBytes += bytes
    else this.isBusy = true
    return hasRoom
  }

  async fingerprint({ facts, ofCore }: KeptCore): Promise<string | undefined> {
    const hold = this.#hold
    if (facts === undefined || hold === undefined || this.#helper.retired) return undefined
    const id = this.#helpers.nextId()
    const parts = { facts: plainFacts(facts), windows: ofCore?.windows ?? [] }
    const request = { type: 'fingerprint', id, hold, ...parts } as const
    const reply = await this.#helper.ask(request, FINGERPRINT_TIMEOUT_MS)
    return reply?.type === 'fingerprint' ? reply.fingerprint : undefined
  }

  async analyze({ facts, ofCore }: KeptCore, options: ReportOptions): Promise<CrashReport> {
    if (facts === undefined) return { entries: [], manifest: { reportSkipped: [NO_REGISTERS] } }
    const parts = { facts: plainFacts(facts), windows: ofCore?.windows ?? [], options }
    const attempt = async (helper: Helper, hold?: number): Promise<CrashReport | undefined> => {
      const request = { type: 'report', id: this.#helpers.nextId(), hold, ...parts } as const
      const reply = await helper.ask(request, REPORT_TIMEOUT_MS)
      if (reply?.type === 'failed') throw new Error(reply.message)
      if (reply?.type === 'report') return reply.report
      helper.kill()
      return undefined
    }
    // of a helper that was given up, only what the core itself has is left
    const report =
      (this.#helper.retired ? undefined : await attempt(this.#helper, this.#hold)) ??
      (await attempt(this.#helpers.use()))
    if (report !== undefined) return report
    throw new Error('The helper that makes reports did not answer in time')
  }

  async copyBinaries(of: BinariesOf): Promise<readonly LogLine[]> {
    const hold = this.#hold
    if (hold === undefined || this.#helper.retired) return []
    const id = this.#helpers.nextId()
    const request = { type: 'binaries', id, hold, of } as const
    const reply = await this.#helper.ask(request, BINARIES_TIMEOUT_MS)
    if (reply?.type === 'failed') throw new Error(reply.message)
    return reply?.type === 'binaries' ? reply.lines : []
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#helpers.free(this.#keptBytes)
    if (this.#hold === undefined) return
    this.#helper.send({ type: 'drop', hold: this.#hold })
    // a helper that is to be replaced lives until then
    this.#helper.forget(this.#hold)
  }
}
