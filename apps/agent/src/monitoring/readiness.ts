import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Destination, isUploadError } from '@core-dump-handler/upload'
import type { AgentSettings } from '../settings/read-settings.ts'

/** How long a prepared node waits for the first answer of the destination before it is ready anyway. */
const FIRST_ANSWER_MS = 60_000

/** One part of the agent's state. */
export interface Check {
  readonly name: 'node' | 'receiver' | 'destination'
  readonly ok: boolean
  /** In words for a person. */
  readonly detail: string
}

/** The upload of a bundle, which the queue logs itself, or the check where nothing is uploaded. */
type Finder = 'queue' | 'probe'

interface ReadinessOptions {
  readonly usesDestination: boolean
  /** @default off: how crashes come is no condition, and not reported */
  readonly receiverMode?: AgentSettings['receiverMode']
  /** Called each time the destination begins to fail, or works again, with who found that. */
  readonly onDestination?: (check: Check, by: Finder) => void
  /** Monotonic clock in ms. @default performance.now */
  readonly now?: () => number
}

/**
 * Ready: this node is prepared. At the start also: the destination has answered, so that wrong
 * credentials show when the agent is installed; for a minute at most, because an outage of the store
 * must not stop an update of the agents.
 */
export class Readiness {
  readonly #usesDestination: boolean
  readonly #onDestination: (check: Check, by: Finder) => void
  readonly #now: () => number
  #node: Check = { name: 'node', ok: false, detail: 'being prepared' }
  #receiver: Check | undefined
  #preparedMs: number | undefined
  #heardMs = -Infinity
  #hasAnswered = false
  #failure: string | undefined
  #refusal: { readonly file: string; readonly reason: string } | undefined
  #reported: boolean | undefined

  constructor({ usesDestination, receiverMode = 'off', onDestination, now }: ReadinessOptions) {
    if (receiverMode !== 'off') {
      this.receiverIs(receiverMode !== 'required', 'pipe: no receiver yet')
    }
    this.#usesDestination = usesDestination
    this.#onDestination = onDestination ?? (() => undefined)
    this.#now = now ?? (() => performance.now())
  }

  nodePrepared(): void {
    this.#preparedMs ??= this.#now()
    this.#node = { name: 'node', ok: true, detail: 'crashes become bundles' }
  }

  nodeUnprepared(detail: string): void {
    this.#node = { name: 'node', ok: false, detail }
  }

  /** Which way crashes come; not ready where the receiver is required and not in use. */
  receiverIs(ok: boolean, detail: string): void {
    this.#receiver = { name: 'receiver', ok, detail }
  }

  destinationAnswered(by: Finder = 'queue'): void {
    this.#heardMs = this.#now()
    this.#hasAnswered = true
    this.#failure = undefined
    this.#report(by)
  }

  uploadStored(): void {
    this.#refusal = undefined
    this.destinationAnswered()
  }

  /** The store answers, but refused this bundle; holds until one is stored or the bundle is deleted. */
  uploadRefused(file: string, reason: string): void {
    this.#heardMs = this.#now()
    this.#refusal = { file, reason }
    this.#report('queue')
  }

  destinationFailed(reason: string, by: Finder = 'queue'): void {
    this.#heardMs = this.#now()
    this.#failure = reason
    this.#report(by)
  }

  /** Milliseconds since the destination answered, failed or refused something. */
  get silentMs(): number {
    return this.#now() - this.#heardMs
  }

  /** Whether this pod is ready; the destination counts only at the start, a receiver where it is required. */
  get isReady(): boolean {
    if (!this.#node.ok || this.#receiver?.ok === false) return false
    if (!this.#usesDestination || this.#hasAnswered) return true
    return this.#now() - (this.#preparedMs ?? Infinity) >= FIRST_ANSWER_MS
  }

  checks(): readonly Check[] {
    const receiver = this.#receiver === undefined ? [] : [this.#receiver]
    if (!this.#usesDestination) return [this.#node, ...receiver]
    this.#report('probe') // a refusal ends with its file, which no event reports
    return [this.#node, ...receiver, this.#destination()]
  }

  #destination(): Check {
    const name = 'destination'
    if (this.#refusal && !existsSync(this.#refusal.file)) this.#refusal = undefined
    const reason = this.#refusal?.reason ?? this.#failure
    if (reason !== undefined) return { name, ok: false, detail: reason }
    const detail = this.#hasAnswered ? 'reachable' : 'has not answered yet'
    return { name, ok: this.#hasAnswered, detail }
  }

  #report(by: Finder): void {
    const isKnown = this.#hasAnswered || this.#failure !== undefined || this.#refusal !== undefined
    const check = this.#destination()
    if (!isKnown || check.ok === this.#reported) return
    const isFirstAnswer = this.#reported === undefined && check.ok
    this.#reported = check.ok
    if (!isFirstAnswer) this.#onDestination(check, by)
  }
}

/** Shortest waits between two checks; they double up to `maxMs`. */
interface ProbeWaits {
  readonly afterFailureMs: number
  readonly afterAnswerMs: number
  readonly maxMs: number
}

const WAITS: ProbeWaits = { afterFailureMs: 5000, afterAnswerMs: 60_000, maxMs: 300_000 }
// nodes that start together must not ask in step
const JITTER = 0.25

/**
 * Checks the destination where no transfer shows whether it works, so that a failure shows before the
 * first crash. Each check in a row with the same outcome doubles the wait. Resolves once aborted.
 */
export async function probeDestination(
  destination: Pick<Destination, 'check'>,
  readiness: Readiness,
  /** Whether the queue itself tries a failing destination again. */
  isPaused: () => boolean,
  signal: AbortSignal,
  waits: ProbeWaits = WAITS,
): Promise<void> {
  let last: boolean | undefined
  for (let times = 0; !signal.aborted;) {
    const answered = await answers(destination, readiness, signal)
    times = answered === last ? times + 1 : 0
    last = answered
    const least = answered ? waits.afterAnswerMs : waits.afterFailureMs
    const waitMs = Math.min(waits.maxMs, least * 2 ** Math.min(times, 30)) * jitter()
    await untilSilent(readiness, isPaused, waitMs, signal)
  }
}

async function answers(
  destination: Pick<Destination, 'check'>,
  readiness: Readiness,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await destination.check({ signal })
    readiness.destinationAnswered('probe')
    return true
  } catch (error) {
    if (isUploadError(error) && !signal.aborted) readiness.destinationFailed(error.message, 'probe')
    return false
  }
}

/** Resolves when no transfer has shown anything for `waitMs`, or once aborted. */
async function untilSilent(
  readiness: Readiness,
  isPaused: () => boolean,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  for (let leftMs = waitMs; leftMs > 0 && !signal.aborted;) {
    await sleep(leftMs, undefined, { signal, ref: false }).catch(() => undefined)
    leftMs = isPaused() ? waitMs : waitMs - readiness.silentMs
  }
}

const jitter = (): number => 1 - JITTER + 2 * JITTER * Math.random()
