/** How much work an analysis may do; shared by all its steps. */
export interface BudgetOptions {
  /** From the start of the analysis to its last step. @default 2000 */
  readonly timeoutMs?: number
  /** Units of about a microsecond: instructions of unwind tables, symbols, words of a stack. @default 20000000 */
  readonly maxWork?: number
}

const WORK_BETWEEN_CLOCKS = 200
/** Of the time, for frames and names; the rest is for writing them down. */
const SEARCH_SHARE = 0.85

/** Ends loops over hostile input: when it is spent, what was found so far is the result. */
export class Budget {
  readonly #searchDeadline: number
  readonly #deadline: number
  readonly #maxWork: number
  #work = 0
  #nextClock = WORK_BETWEEN_CLOCKS
  #isSpent = false

  constructor({ timeoutMs = 2000, maxWork = 20_000_000 }: BudgetOptions = {}) {
    const now = performance.now()
    this.#searchDeadline = now + timeoutMs * SEARCH_SHARE
    this.#deadline = now + timeoutMs
    this.#maxWork = maxWork
  }

  /** The search for frames and names was cut short. */
  get isSpent(): boolean {
    return this.#isSpent
  }

  /** The time of all steps is over, that for writing down what was found too. */
  get isOver(): boolean {
    return performance.now() > this.#deadline
  }

  /** False when there is none left. */
  spend(work: number): boolean {
    this.#work += work
    if (this.#work < this.#nextClock) return !this.#isSpent
    this.#nextClock = this.#work + WORK_BETWEEN_CLOCKS
    if (this.#work > this.#maxWork || performance.now() > this.#searchDeadline) this.#isSpent = true
    return !this.#isSpent
  }
}
