import type { Architecture } from '../unwind/architecture.ts'
import { architectureOf } from '../unwind/architectures.ts'
import type { CoreFacts } from './core-facts.ts'
import { CoreHead } from './core-head.ts'
import { WindowMemory, Slab, type CopiedWindow } from './memory.ts'
import {
  planFirstPages,
  planWindows,
  SIGNAL_SEARCH_BYTES,
  WINDOW_LIMITS,
  windowsFrom,
  type Window,
  type WindowLimits,
} from './stack-windows.ts'

const PAGE_BYTES = 4096

interface Want extends Window {
  /** Position in the core. */
  readonly offset: number
  readonly isStack: boolean
  bytes: Buffer | undefined
  filled: number
}

/**
 * Keeps what an analysis needs of a core that passes by, in one pass and whatever the order of its segments:
 * notes, stacks, first pages of modules, the vdso.
 */
export class CoreStream {
  readonly #limits: WindowLimits
  readonly #head = new CoreHead()
  readonly #slab = new Slab()
  #facts: CoreFacts | undefined
  #architecture: Architecture | undefined
  #wants: Want[] = []
  #next = 0
  #position = 0
  #planned = 0

  constructor(limits: WindowLimits = WINDOW_LIMITS) {
    this.#limits = limits
  }

  /** Copies what it keeps; the chunk is the caller's again. */
  push(chunk: Buffer): void {
    const used = this.#head.push(chunk)
    this.#position += used
    if (!this.#head.isDone) return
    if (this.#facts === undefined) this.#plan()
    const rest = chunk.subarray(used)
    // what a window leads to, an interrupted stack, may lie in this very chunk
    while (this.#fill(rest)) this.#next = 0
    this.#position += rest.length
  }

  /** Headers and notes have been read: what follows is memory. */
  get isHeadDone(): boolean {
    return this.#head.isDone
  }

  /** All stacks that it keeps have gone by: what follows adds nothing to them. */
  get hasStacks(): boolean {
    return (
      this.#facts !== undefined &&
      this.#wants.every(({ isStack, filled, length }) => !isStack || filled === length)
    )
  }

  /** Undefined when the stream is no ELF core. */
  facts(): CoreFacts | undefined {
    return this.#facts ?? this.#head.facts()
  }

  /** Keeps no more, and does not wait for, what was copied elsewhere. */
  drop(copied: readonly CopiedWindow[]): void {
    const lengths = new Map(copied.map(({ start, bytes }) => [start, bytes.length]))
    this.#wants = this.#wants.filter(({ start, length }) => (lengths.get(start) ?? 0) < length)
    this.#next = 0
  }

  /** What was kept so far. */
  memory(): WindowMemory {
    const memory = new WindowMemory()
    for (const { start, bytes, filled } of this.#wants) {
      if (bytes !== undefined && filled > 0) memory.add(start, bytes.subarray(0, filled))
    }
    return memory
  }

  /** Frees what was kept; `memory()` must not be used again. */
  free(): void {
    this.#wants = []
    this.#slab.free()
  }

  #plan(): void {
    const facts = this.#head.facts()
    this.#facts = facts
    this.#architecture = facts && architectureOf(facts)
    if (facts === undefined) return
    if (this.#architecture !== undefined) {
      for (const window of planWindows(facts, this.#architecture, this.#limits)) {
        this.#want(window, true)
      }
    }
    for (const window of planFirstPages(facts)) this.#want(window, false)
    this.#sort()
  }

  #want({ start, length }: Window, isStack: boolean): void {
    const segment = this.#facts?.segments.find(start)
    if (segment === undefined) return
    const skip = start - segment.vaddr
    const available = Math.min(length, segment.filesz - skip)
    if (available <= 0) return
    const offset = segment.offset + skip
    this.#wants.push({ start, length: available, offset, isStack, bytes: undefined, filled: 0 })
    if (isStack) this.#planned += available
  }

  #sort(): void {
    this.#wants.sort((a, b) => a.offset - b.offset)
    this.#next = 0
  }

  /** True when more is wanted than before. */
  #fill(rest: Buffer): boolean {
    const from = this.#position
    const to = from + rest.length
    for (let index = this.#next; index < this.#wants.length; index++) {
      const want = this.#wants[index]
      if (want === undefined || want.offset >= to) break
      if (want.filled === want.length || want.offset + want.filled < from) {
        if (index === this.#next) this.#next++
        continue
      }
      const start = want.offset + want.filled
      const end = Math.min(want.offset + want.length, to)
      if (end <= start) continue
      want.bytes ??= this.#slab.take(want.length)
      rest.copy(want.bytes, want.filled, start - from, end - from)
      want.filled += end - start
      if (want.filled === want.length && want.isStack && this.#follow(want.bytes)) return true
    }
    return false
  }

  /** A handler on a stack of its own: what it interrupted ran on another. */
  #follow(stack: Buffer): boolean {
    const facts = this.#facts
    const sp = this.#architecture?.interruptedStackPointer(stack.subarray(0, SIGNAL_SEARCH_BYTES))
    if (facts === undefined || sp === undefined) return false
    if (this.#wants.some(({ start, length }) => sp >= start && sp < start + length)) return false
    const share = Math.min(this.#limits.crashBytes / 4, this.#limits.totalBytes - this.#planned)
    if (share < PAGE_BYTES) return false
    const before = this.#wants.length
    for (const window of windowsFrom(facts, sp, share, this.#limits.outerBytes)) {
      this.#want(window, true)
    }
    this.#sort()
    return this.#wants.length > before
  }
}
