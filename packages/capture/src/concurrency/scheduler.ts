import { monotonicMs } from '../system/monotonic-ms.ts'

/**
 * The stages of a capture: it waits, copies memory (its process is held), waits to write metadata,
 * writes it.
 */
export type Stage = 'queued' | 'draining' | 'drained' | 'writing'

/** How many captures share the node: up to the limit, up to four times as many, more. */
export type Load = 'low' | 'high' | 'storm'

/** One capture that shares the node with others. */
export interface Ticket {
  /** Whom fairness is for, such as a pod's uid. */
  readonly scope: string
  /** On the monotonic clock of the node, see `monotonicMs`. */
  readonly arrivedMs: number
  stage: Stage
  /** Called when the scheduler moves it on, to `draining` or to `writing`. */
  readonly onTurn: (stage: Stage) => void
}

/** After this time a drain counts no longer for other scopes: they must not wait for a slow core. */
const SLOW_DRAIN_MS = 2000
/** Times the limit: drains of all scopes, slow ones included; with more captures there is a storm. */
const MAX_SLOW = 4
/** A capture that has drained has grown: with so many of them, the next one of their scopes waits. */
const BACKLOG = 16
/** No process is held longer than this for the memory that captures without a process take. */
const BACKLOG_WAIT_MS = 5000

/**
 * Decides which capture goes on: of those that wait, the first of the scope that has the fewest
 * captures in that stage. `limit` captures drain and `limit` write metadata at a time.
 */
export class Scheduler {
  readonly #limit: number
  readonly #tickets = new Map<Ticket, { sinceMs: number }>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#tickets.size
  }

  get load(): Load {
    if (this.size <= this.#limit) return 'low'
    return this.size <= this.#limit * MAX_SLOW ? 'high' : 'storm'
  }

  add(ticket: Ticket): void {
    this.#tickets.set(ticket, { sinceMs: monotonicMs() })
  }

  /** The capture has reached `stage` by itself. */
  move(ticket: Ticket, stage: Stage): void {
    if (!this.#tickets.has(ticket) || ticket.stage === stage) return
    ticket.stage = stage
    this.#tickets.set(ticket, { sinceMs: monotonicMs() })
  }

  remove(ticket: Ticket): void {
    this.#tickets.delete(ticket)
  }

  /** Moves on all that may go on; to be called after each change, and now and then: some limits end. */
  settle(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const stage = next.stage === 'queued' ? 'draining' : 'writing'
      this.move(next, stage)
      next.onTurn(stage)
    }
  }

  #next(): Ticket | undefined {
    const waiting = (stage: Stage, active: Stage): Ticket[] =>
      [...this.#tickets.keys()]
        .filter((ticket) => ticket.stage === stage)
        .toSorted(
          (a, b) =>
            this.#count(active, a.scope) - this.#count(active, b.scope) ||
            a.arrivedMs - b.arrivedMs,
        )
    const drain = waiting('queued', 'draining').find((ticket) => this.#mayDrain(ticket))
    if (drain !== undefined) return drain
    return this.#count('writing') < this.#limit ? waiting('drained', 'writing')[0] : undefined
  }

  #mayDrain({ scope, arrivedMs }: Ticket): boolean {
    const limit = this.#limit
    if (this.#countFast() >= limit) return false
    if (this.#count('draining', scope) >= limit) return false
    if (this.#count('draining') >= limit * MAX_SLOW) return false
    const grown = (of?: string): number => this.#count('drained', of) + this.#count('writing', of)
    // the backlog of other pods is no reason to hold the first crash of this one
    const backlog = grown(scope) === 0 ? BACKLOG * 2 : BACKLOG
    return grown() < backlog || monotonicMs() - arrivedMs > BACKLOG_WAIT_MS
  }

  #countFast(): number {
    const slow = monotonicMs() - SLOW_DRAIN_MS
    let count = 0
    for (const [{ stage }, { sinceMs }] of this.#tickets) {
      if (stage === 'draining' && sinceMs > slow) count++
    }
    return count
  }

  #count(stage: Stage, scope?: string): number {
    let count = 0
    for (const ticket of this.#tickets.keys()) {
      if (ticket.stage === stage && (scope === undefined || ticket.scope === scope)) count++
    }
    return count
  }
}
