import type { Identified, Lookup, LookupResult, LookupSubject } from '@core-dump-handler/cri'
import { needsLookup } from '../bundle/name.ts'
import type { CaptureContext } from '../context.ts'
import { monotonicMs, within } from '../timing.ts'
import { errorMessage } from '../text.ts'

// a core that takes longer than this is drained while the runtime is asked
const HEAD_START_MS = 150
/** Times the limits of a lookup that is repeated: no process is held any more. */
const PATIENCE = 3

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
  readonly #lookups: Promise<Lookup>[] = []
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

  /**
   * Everything that the runtime answered. It is asked once more where a limit cut the lookup short,
   * as on an overloaded node. To be called when the process is released. Does not reject.
   */
  async result(): Promise<LookupResult> {
    if (!this.wanted) return NOTHING
    const { settings, stop, warnings } = this.#context
    const first = await this.#report(this.#run())
    const late = timeoutOf(first)
    if (late === undefined || stop.signal.aborted) return first
    const limits = `${settings.criCallTimeoutMs * PATIENCE} ms a call`
    warnings.add('LOOK_UP_REPEATED', `Asked the runtime once more, within ${limits}: ${late}`)
    const second = await this.#report(this.#start(PATIENCE))
    return timeoutOf(second) === undefined || isProven(second) ? second : first
  }

  async close(): Promise<void> {
    const closing = this.#lookups.map(async (lookup) => (await lookup).close())
    const closed = Promise.allSettled(closing)
    await within(closed, this.#context.settings.criCallTimeoutMs)
  }

  #run(): Promise<Lookup> {
    return this.#lookups[0] ?? this.#start()
  }

  #start(factor = 1): Promise<Lookup> {
    const startedMs = monotonicMs()
    const { isolated, stop } = this.#context
    const lookup =
      isolated === undefined
        ? loadLookup().then(({ runLookup }) => runLookup(this.#subject, this.#context, { factor }))
        : Promise.resolve(isolated.lookup(this.#subject, stop, factor))
    this.#lookups.push(lookup)
    const ended = (): void => void (this.#tookMs += monotonicMs() - startedMs)
    lookup.then(({ result }) => result).then(ended, ended)
    return lookup
  }

  async #report(lookup: Promise<Lookup>): Promise<LookupResult> {
    try {
      return await (
        await lookup
      ).result
    } catch (error) {
      this.#context.warnings.add('LOOK_UP_FAILED', errorMessage(error))
      return { ...NOTHING, identity: { status: 'unverified', reason: 'the look-up failed' } }
    }
  }
}

/** The limit of the runtime that cut the lookup short; undefined where none did. */
function timeoutOf({ warnings }: LookupResult): string | undefined {
  return warnings.find(({ code }) => code === 'CRI_TIMEOUT')?.message
}

function isProven({ identity }: LookupResult): boolean {
  return identity.status === 'verified'
}
