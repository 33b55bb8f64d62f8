/** How much work an analysis may do; shared by all its steps. */
export interface BudgetOptions {
  /** From the start of the analysis. @default 2000 */
  readonly timeoutMs?: number
  /** Units of about a microsecond: instructions of unwind tables, symbols, words of a stack. @default 20000000 */
  readonly maxWork?: number
}

const WORK_BETWEEN_CLOCKS = 2000

/** Ends loops over hostile input: when it is spent, what was found so far is the result. */
export class Budget {
  readonly #deadline: number
  readonly #maxWork: number
  #work = 0
  #nextClock = WORK_BETWEEN_CLOCKS
  #isSpent = false

  constructor({ timeoutMs = 2000, maxWork = 20_000_000 }: BudgetOptions = {}) {
    this.#deadline = performance.now() + timeoutMs
    this.#maxWork = maxWork
  }

  get isSpent(): boolean {
    return this.#isSpent
  }

  /** False when there is none left. */
  spend(work: number): boolean {
    this.#work += work
    if (this.#work < this.#nextClock) return !this.#isSpent
    this.#nextClock = this.#work + WORK_BETWEEN_CLOCKS
    if (this.#work > this.#maxWork || performance.now() > this.#deadline) this.#isSpent = true
    return !this.#isSpent
  }
}
