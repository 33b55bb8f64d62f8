import type { Identified, Lookup, LookupResult, LookupSubject } from '@core-dump-handler/cri'
import { needsLookup } from '../bundle/name.ts'
import type { CaptureContext } from '../context.ts'
import { monotonicMs } from '../system/monotonic-ms.ts'
import { errorMessage } from '../text.ts'
import { within } from '../within.ts'

// a core that takes longer than this is drained while the runtime is asked
const HEAD_START_MS = 150

const NOTHING: LookupResult = {
  identity: { status: 'unverified', reason: 'neither a host pid nor a host name was given' },
  containers: [],
  warnings: [],
}

const LATE: Identified = {
  identity: { status: 'unverified', reason: 'the runtime did not answer in time' },
}

/** Loads the code of the look-up: not before it is needed, as a process may be held. */
export function loadLookup(): Promise<typeof import('./run-lookup.ts')> {
  return import('./run-lookup.ts')
}

/** The look-up of a crash's owner, started when there is time: its code is loaded only then. */
export class DeferredLookup {
  /** False when there is neither a host pid nor a host name to look for. */
  readonly wanted: boolean
  readonly #subject: LookupSubject
  readonly #context: CaptureContext
  #lookup: Promise<Lookup> | undefined
  #result: Promise<LookupResult> = Promise.resolve(NOTHING)
  #tookMs = 0

  constructor(subject: LookupSubject, context: CaptureContext) {
    this.wanted = subject.snapshot !== undefined || (subject.hostname ?? '') !== ''
    this.#subject = subject
    this.#context = context
  }

  /** How long the look-up took, in milliseconds, not how long it was waited for; 0 before its end. */
  get tookMs(): number {
    return this.#tookMs
  }

  /** The pod, when the selector or the file name needs it; it takes the limit of one call at most. */
  async resolveEarly(): Promise<Identified | undefined> {
    const { filenameTemplate, podSelectorLabel, ignoreCrio, criCallTimeoutMs } =
      this.#context.settings
    const selecting = podSelectorLabel !== '' && !ignoreCrio
    if (!this.wanted || !(selecting || needsLookup(filenameTemplate))) return undefined
    const first = this.#run().then((lookup) => lookup.identified)
    return (await within(first, criCallTimeoutMs).catch(() => undefined)) ?? LATE
  }

  /** Starts it when `released` settles, or after 150 ms of draining. */
  start(released: Promise<unknown>): void {
    if (!this.wanted) return
    const timer = setTimeout(() => void this.#run(), HEAD_START_MS)
    const run = (): void => {
      clearTimeout(timer)
      void this.#run()
    }
    released.then(run, run)
  }

  /** Everything that the runtime answered. Does not reject. */
  async result(): Promise<LookupResult> {
    if (!this.wanted) return NOTHING
    try {
      void this.#run()
      return await this.#result
    } catch (error) {
      this.#context.warnings.add('LOOK_UP_FAILED', errorMessage(error))
      return { ...NOTHING, identity: { status: 'unverified', reason: 'the look-up failed' } }
    }
  }

  async close(): Promise<void> {
    const closing = this.#lookup?.then((lookup) => lookup.close())
    if (closing === undefined) return
    await within(closing, this.#context.settings.criCallTimeoutMs).catch(() => {})
  }

  #run(): Promise<Lookup> {
    if (!this.#lookup) {
      const startedMs = monotonicMs()
      const { isolated, stop } = this.#context
      this.#lookup =
        isolated === undefined
          ? loadLookup().then(({ runLookup }) => runLookup(this.#subject, this.#context))
          : Promise.resolve(isolated.lookup(this.#subject, stop))
      this.#result = this.#lookup
        .then(({ result }) => result)
        .finally(() => (this.#tookMs = monotonicMs() - startedMs))
      // `result()` reports a failure
      this.#result.catch(() => {})
    }
    return this.#lookup
  }
}
