/** A file that waits for its transfer. */
export interface Item {
  readonly name: string
  readonly bytes: number
  readonly mtimeMs: number
  /** Failures in a row. */
  failures: number
  /** Times it was found locked in a row. */
  skips: number
  /** Not before this time, on the clock that never jumps (`performance.now()`). */
  notBefore: number
  busy: boolean
}

/** The files that wait, in the order of their turns: fewest failures first, then the oldest. */
export class Backlog {
  readonly #items = new Map<string, Item>()
  // last one first; made anew when it is used up or something was added
  #turns: Item[] = []
  #stale = false

  /** Drop what is gone and tell which of `names` are new. */
  sync(names: readonly string[]): string[] {
    const there = new Set(names)
    for (const item of this.#items.values()) {
      if (!there.has(item.name) && !item.busy) this.#items.delete(item.name)
    }
    return names.filter((name) => !this.#items.has(name))
  }

  add(name: string, { bytes, mtimeMs }: Pick<Item, 'bytes' | 'mtimeMs'>): void {
    this.#items.set(name, {
      name,
      bytes,
      mtimeMs,
      failures: 0,
      skips: 0,
      notBefore: 0,
      busy: false,
    })
    this.#stale = true
  }

  /** The next file whose time has come, marked as busy. */
  next(now: number): Item | undefined {
    if (this.#stale || this.#turns.length === 0) this.#plan(now)
    let item = this.#turns.pop()
    // dropped or rescheduled since the plan was made
    while (item && (item.busy || item.notBefore > now || this.#items.get(item.name) !== item)) {
      item = this.#turns.pop()
    }
    if (item) item.busy = true
    return item
  }

  /** Stored and deleted. */
  remove(item: Item): void {
    this.#items.delete(item.name)
  }

  /** The next scan finds it as a new one, unless it is on its way. */
  forget(name: string): void {
    if (this.#items.get(name)?.busy === false) this.#items.delete(name)
  }

  /** Not now: back among the waiting until `notBefore`. */
  putBack(item: Item, notBefore: number): void {
    item.busy = false
    item.notBefore = notBefore
  }

  /** When the next file's time comes; Infinity when none waits. */
  nextTime(): number {
    let time = Infinity
    for (const item of this.#items.values()) {
      if (!item.busy && item.notBefore < time) time = item.notBefore
    }
    return time
  }

  *[Symbol.iterator](): Iterator<Readonly<Item>> {
    yield* this.#items.values()
  }

  #plan(now: number): void {
    this.#stale = false
    this.#turns = [...this.#items.values()]
      .filter((item) => !item.busy && item.notBefore <= now)
      .toSorted((a, b) => b.failures - a.failures || b.mtimeMs - a.mtimeMs)
  }
}
