import { now } from './clock.ts'

/** Where a composer is on its way: it waits, copies memory, waits to tell, tells. */
type Stage = 'queued' | 'draining' | 'drained' | 'telling'

/** One composer that came to the gate. */
export interface Visit {
  stage: Stage
  readonly arrivedMs: number
  /** Called each time it may go on. */
  readonly onTurn: () => void
}

export interface AdmissionLimits {
  /** Composers that copy memory at once. */
  readonly drains: number
  /** Composers that do the rest at once. */
  readonly stories: number
  /** Who has copied has grown: with so many of them, the next one waits for a while. */
  readonly backlog: number
}

/** No process is held any longer than this for the memory that others' stories take. */
const BACKLOG_PATIENCE_MS = 5000

/** Who may go on, first come first served; those that hold a process come before those that do not. */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #visits = new Set<Visit>()

  constructor(limits: AdmissionLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#visits.size
  }

  arrive(onTurn: () => void): Visit {
    const visit: Visit = { stage: 'queued', arrivedMs: now(), onTurn }
    this.#visits.add(visit)
    this.settle()
    return visit
  }

  /** Its process is released. */
  drained(visit: Visit): void {
    visit.stage = 'drained'
    this.settle()
  }

  leave(visit: Visit): void {
    if (this.#visits.delete(visit)) this.settle()
  }

  /** To be called now and then too: patience is a matter of time. */
  settle(): void {
    const { drains, stories } = this.#limits
    for (const visit of this.#visits) {
      if (visit.stage === 'queued' && this.#count('draining') < drains && this.#hasRoom(visit)) {
        this.#admit(visit, 'draining')
      } else if (visit.stage === 'drained' && this.#count('telling') < stories) {
        this.#admit(visit, 'telling')
      }
    }
  }

  #hasRoom({ arrivedMs }: Visit): boolean {
    const grown = this.#count('drained') + this.#count('telling')
    return grown < this.#limits.backlog || now() - arrivedMs > BACKLOG_PATIENCE_MS
  }

  #admit(visit: Visit, stage: Stage): void {
    visit.stage = stage
    visit.onTurn()
  }

  #count(stage: Stage): number {
    let count = 0
    for (const visit of this.#visits) if (visit.stage === stage) count++
    return count
  }
}
