import { monotonicMs } from '../timing.ts'

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
const DEFAULT_BACKLOG = 8
/** No process is held longer than this for the memory that captures without a process take. */
const BACKLOG_WAIT_MS = 5000

export interface SchedulerOptions {
  /** Captures that have drained and are not written; with more of them the next one waits. @default 8 */
  readonly backlog?: number | undefined
  /** Captures that write metadata while others hold a process and wait. @default the limit */
  readonly writersWhileQueued?: number | undefined
}

/**
 * Decides which capture goes on: of those that wait, the first of the scope that has the fewest
 * captures in that stage. `limit` captures drain and `limit` write metadata at a time.
 */
export class Scheduler {
  readonly #limit: number
  readonly #backlog: number
  readonly #writersWhileQueued: number
  readonly #tickets = new Map<Ticket, { sinceMs: number }>()

  constructor(limit: number, { backlog, writersWhileQueued }: SchedulerOptions = {}) {
    this.#limit = limit
    this.#backlog = backlog ?? DEFAULT_BACKLOG
    this.#writersWhileQueued = writersWhileQueued ?? limit
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

  /** In one pass: with hundreds of captures this runs for each change of each of them. */
  #next(): Ticket | undefined {
    const counts = this.#counts()
    const first = (
      stage: Stage,
      active: Stage,
      may: (ticket: Ticket) => boolean,
    ): Ticket | undefined => {
      let best: Ticket | undefined
      let bestActive = Infinity
      for (const ticket of this.#tickets.keys()) {
        if (ticket.stage !== stage || !may(ticket)) continue
        const inScope = counts.of(active, ticket.scope)
        const isBetter =
          best === undefined ||
          inScope < bestActive ||
          (inScope === bestActive && ticket.arrivedMs < best.arrivedMs)
        if (!isBetter) continue
        best = ticket
        bestActive = inScope
      }
      return best
    }
    const drain = first('queued', 'draining', (ticket) => this.#mayDrain(ticket, counts))
    if (drain !== undefined) return drain
    const writers = counts.of('queued') > 0 ? this.#writersWhileQueued : this.#limit
    if (counts.of('writing') >= writers) return undefined
    return first('drained', 'writing', () => true)
  }

  #mayDrain({ scope, arrivedMs }: Ticket, counts: Counts): boolean {
    const limit = this.#limit
    if (counts.fastDrains >= limit) return false
    if (counts.of('draining', scope) >= limit) return false
    if (counts.of('draining') >= limit * MAX_SLOW) return false
    const grown = (of?: string): number => counts.of('drained', of) + counts.of('writing', of)
    // the backlog of other pods is no reason to hold the first crash of this one
    const backlog = grown(scope) === 0 ? this.#backlog * 2 : this.#backlog
    return grown() < backlog || monotonicMs() - arrivedMs > BACKLOG_WAIT_MS
  }

  #counts(): Counts {
    const slow = monotonicMs() - SLOW_DRAIN_MS
    const inAll = new Map<Stage, number>()
    const inScopes = new Map<string, Map<Stage, number>>()
    let fastDrains = 0
    for (const [{ stage, scope }, { sinceMs }] of this.#tickets) {
      const inScope = inScopes.get(scope) ?? new Map<Stage, number>()
      inScopes.set(scope, inScope)
      inAll.set(stage, (inAll.get(stage) ?? 0) + 1)
      inScope.set(stage, (inScope.get(stage) ?? 0) + 1)
      if (stage === 'draining' && sinceMs > slow) fastDrains++
    }
    const of = (stage: Stage, scope?: string): number =>
      (scope === undefined ? inAll : inScopes.get(scope))?.get(stage) ?? 0
    return { fastDrains, of }
  }
}

/** Captures in each stage, of one scope or of all. */
interface Counts {
  /** Drains that have not lasted longer than `SLOW_DRAIN_MS`. */
  readonly fastDrains: number
  readonly of: (stage: Stage, scope?: string) => number
}
