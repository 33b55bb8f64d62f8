/** A file that waits for its transfer. */
export interface Item {
  readonly name: string
  readonly bytes: number
  readonly mtimeMs: number
  /** Failures in a row. */
  failures: number
  /** Files that had been stored when it failed last. */
  storedBefore?: number
  /** Times it was found locked in a row. */
  skips: number
  /** Not before this time, on the monotonic clock (`performance.now()`). */
  notBefore: number
  busy: boolean
  /** The last scan of the directory that found it. */
  scan: number
}

/**
 * The waiting files in the order in which they are sent: fewest failures first, then alternately the oldest
 * and the newest. So a new crash does not wait behind the thousands of a night without a store.
 */
export class Backlog {
  readonly #items = new Map<string, Item>()
  // last one first; planned again when they are used up or something was added
  #oldest: Item[] = []
  #newest: Item[] = []
  #scan = 0
  #stale = false
  #fromNewest = false

  /** Drop what is gone; returns which of `names` are new. */
  sync(names: readonly string[]): string[] {
    const added: string[] = []
    const scan = ++this.#scan
    for (const name of names) {
      const item = this.#items.get(name)
      if (item) item.scan = scan
      else added.push(name)
    }
    for (const item of this.#items.values()) {
      if (item.scan !== scan && !item.busy) this.#items.delete(item.name)
    }
    return added
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
      scan: this.#scan,
    })
    this.#stale = true
  }

  /** The next file that may be sent now, marked as busy. */
  next(now: number): Item | undefined {
    if (this.#stale || this.#oldest.length === 0 || this.#newest.length === 0) this.#plan(now)
    const planned = this.#fromNewest ? this.#newest : this.#oldest
    let item = planned.pop()
    // sent, dropped or rescheduled since the plan was made
    while (item && (item.busy || item.notBefore > now || this.#items.get(item.name) !== item)) {
      item = planned.pop()
    }
    if (item === undefined) return undefined
    item.busy = true
    this.#fromNewest = !this.#fromNewest
    return item
  }

  /** Stored and deleted. */
  remove(item: Item): void {
    this.#items.delete(item.name)
  }

  /** The next scan finds it as a new one, unless it is being sent. */
  forget(name: string): void {
    if (this.#items.get(name)?.busy === false) this.#items.delete(name)
  }

  /** The file waits again, until `notBefore`. */
  putBack(item: Item, notBefore: number): void {
    item.busy = false
    item.notBefore = notBefore
  }

  /** The file waits no longer. */
  release(name: string): void {
    const item = this.#items.get(name)
    if (item?.busy === false) item.notBefore = 0
  }

  /** When the next file may be sent; Infinity when none waits. */
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
    this.#oldest = [...this.#items.values()]
      .filter((item) => !item.busy && item.notBefore <= now)
      .toSorted((a, b) => b.failures - a.failures || b.mtimeMs - a.mtimeMs)
    this.#newest = this.#oldest.toSorted((a, b) => b.failures - a.failures || a.mtimeMs - b.mtimeMs)
  }
}
