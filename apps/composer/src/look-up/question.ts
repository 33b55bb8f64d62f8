import type { Identified, Lookup, LookupResult, LookupSubject } from '@core-dump-handler/cri'
import { needsLookup } from '../bundle/template.ts'
import { messageOf } from '../log/message-of.ts'
import type { Task } from '../task.ts'
import { within } from './within.ts'

// a core that takes longer than this is drained while the runtime is asked
const HEAD_START_MS = 150

/** Whose crash it was, asked when there is time: its modules are not even read before that. */
export class Question {
  /** False when called by hand with nothing to look for. */
  readonly asked: boolean
  readonly #subject: LookupSubject
  readonly #task: Task
  #search: Promise<Lookup> | undefined
  #result: Promise<LookupResult> = Promise.resolve(NOTHING)
  #tookMs = 0

  constructor(subject: LookupSubject, task: Task) {
    this.asked = subject.snapshot !== undefined || (subject.hostname ?? '') !== ''
    this.#subject = subject
    this.#task = task
  }

  /** How long the look-up took, not how long it was waited for; 0 before its end. */
  get tookMs(): number {
    return this.#tookMs
  }

  /** Start once the process is released, or after a while of draining. */
  startSoon(released: Promise<unknown>): void {
    if (!this.asked) return
    const timer = setTimeout(() => void this.#start(), HEAD_START_MS)
    const start = (): void => {
      clearTimeout(timer)
      void this.#start()
    }
    // why it failed is told to whoever waits for it
    released.then(start, start)
  }

  /** The pod, when the file name or the selector needs it; no longer than one call's limit. */
  async asFarAsNeeded(): Promise<Identified | undefined> {
    const { filenameTemplate, podSelectorLabel, ignoreCrio, criCallTimeoutMs } = this.#task.settings
    const selecting = podSelectorLabel !== '' && !ignoreCrio
    if (!this.asked || !(selecting || needsLookup(filenameTemplate))) return undefined
    const first = this.#start().then((search) => search.identified)
    return (await within(criCallTimeoutMs, first).catch(() => undefined)) ?? LATE
  }

  async result(): Promise<LookupResult> {
    if (!this.asked) return NOTHING
    try {
      void this.#start()
      return await this.#result
    } catch (error) {
      this.#task.problems.add('LOOK_UP_FAILED', messageOf(error))
      return { ...NOTHING, identity: { status: 'unverified', reason: 'the look-up failed' } }
    }
  }

  async close(): Promise<void> {
    const { criCallTimeoutMs } = this.#task.settings
    const closing = this.#search?.then((search) => search.close())
    await within(criCallTimeoutMs, Promise.resolve(closing)).catch(() => {})
  }

  #start(): Promise<Lookup> {
    if (!this.#search) {
      const startedMs = now()
      this.#search = import('./look-up.ts').then(({ beginLookUp }) =>
        beginLookUp(this.#subject, this.#task),
      )
      this.#result = this.#search
        .then(({ result }) => result)
        .finally(() => (this.#tookMs = now() - startedMs))
      // whoever waits for it hears of a failure
      this.#result.catch(() => {})
    }
    return this.#search
  }
}

const NOTHING: LookupResult = {
  identity: { status: 'unverified', reason: 'neither a host pid nor a host name was given' },
  containers: [],
  warnings: [],
}

const LATE: Identified = {
  identity: { status: 'unverified', reason: 'the runtime did not answer in time' },
}

function now(): number {
  return Math.round(process.uptime() * 1000)
}
