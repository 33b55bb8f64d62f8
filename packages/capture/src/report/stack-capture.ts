import { read } from 'node:fs'
import { promisify } from 'node:util'
import {
  CoreStream,
  requestWindows,
  Slab,
  WINDOW_LIMITS,
  WindowMemory,
  type CoreFacts,
  type MemoryReader,
} from '@core-dump-handler/report'
import { monotonicMs, within } from '../timing.ts'
import type { HeldProcess } from './held-process.ts'

const readFrom = promisify(read)

/** 4 KiB of each of a thousand threads; 6 MiB would be taken from the memory of the composer. */
const LIMITS = {
  ...WINDOW_LIMITS,
  crashBytes: 256 * 1024,
  totalBytes: 4.25 * 1024 * 1024,
}
/** Registers and modules, for a report without stacks. */
export const NO_STACKS: typeof LIMITS = {
  crashBytes: 0,
  otherBytes: 0,
  outerBytes: 0,
  totalBytes: 0,
}
/** The memory of a process may lie on a file system of its own that never answers. */
const MEMORY_WAIT_MS = 200
/** While a core is drained: the stacks of many threads are then taken from it. */
const READ_MS = 20
const AT_SYSINFO_EHDR = 33

/** The stacks of a process as they were copied, and whether all of them are there. */
export interface StackCopy {
  readonly memory: WindowMemory
  readonly isComplete: boolean
  /** Frees `memory`. */
  readonly free?: () => void
}

/** Reads the stacks of a process while the kernel holds it. */
export interface StackReader {
  /** For `readMs`; undefined where it is not the process of this core, `late` where its memory does not answer. */
  readStacks(facts: CoreFacts, readMs: number): Promise<StackCopy | 'late' | undefined>
}

/**
 * Keeps registers, modules and stacks of a core that passes by. The stacks are those of the process
 * itself while it is held: they do not depend on the order of the core, nor on how much of it is kept.
 * Of a core that has been read whole, and where there are too many, they are taken from it.
 */
export class StackCapture {
  readonly #reader: StackReader | undefined
  readonly #isHeld: () => boolean
  #stream: CoreStream | undefined
  #facts: CoreFacts | undefined
  #ofProcess: MemoryReader = new WindowMemory()
  /** The memory of the process did not answer in time. */
  hasTimedOut = false
  #isOfProcess = false
  #free: (() => void) | undefined

  /** `limits`: `NO_STACKS` where only registers and modules are kept. */
  constructor(reader: StackReader | undefined, isHeld: () => boolean, limits = LIMITS) {
    this.#reader = reader
    this.#isHeld = isHeld
    this.#stream = new CoreStream(limits)
  }

  /** No more bytes are needed. */
  get isDone(): boolean {
    return this.#stream === undefined
  }

  /**
   * The next bytes of the core; they may be reused when the promise has settled. For `readMs` the memory of
   * the process is read.
   */
  push(bytes: Buffer, readMs = READ_MS): Promise<void> | undefined {
    const stream = this.#stream
    if (stream === undefined) return undefined
    const wasDone = stream.isHeadDone
    stream.push(bytes)
    return wasDone || !stream.isHeadDone ? undefined : this.#readProcess(stream, readMs)
  }

  /** All stacks that the notes read so far name are there, of the process or of the core. */
  get hasStacks(): boolean {
    return this.#isOfProcess || this.#stream?.hasStacks === true
  }

  /**
   * Reads the stacks by the notes that have come so far, those of the crashing thread first: the notes of
   * many threads are longer than what is read ahead.
   */
  async readEarly(readMs = READ_MS): Promise<void> {
    const stream = this.#stream
    if (stream?.isHeadDone === false) await this.#readProcess(stream, readMs)
  }

  /** Undefined when the core has no header. */
  get facts(): CoreFacts | undefined {
    return this.#stream?.isHeadDone ? this.#stream.facts() : (this.#facts ?? this.#stream?.facts())
  }

  /** What was taken from the core itself. */
  get ofCore(): WindowMemory | undefined {
    return this.#stream?.memory()
  }

  /** Of the process, else of the core. */
  get memory(): MemoryReader {
    return bothMemories(this.#ofProcess, this.ofCore)
  }

  /** The report is made: frees the stacks, of which a thousand threads have 4 MiB. */
  free(): void {
    this.#stream?.free()
    this.#free?.()
    this.#ofProcess = new WindowMemory()
  }

  async #readProcess(stream: CoreStream, readMs: number): Promise<void> {
    const facts = stream.facts()
    if (facts === undefined || facts.threads.length === 0 || !this.#isHeld()) return
    const copied = await this.#reader?.readStacks(facts, readMs)
    if (copied === 'late') this.hasTimedOut = true
    // released meanwhile: what was read last may be missing, and the stream has all of it
    if (copied === undefined || copied === 'late' || !this.#isHeld()) return
    this.#facts = facts
    this.#ofProcess = copied.memory
    this.#free = copied.free
    this.#isOfProcess = copied.isComplete
    if (copied.isComplete && stream.isHeadDone) this.#stream = undefined
    // what the last ones lead to, an interrupted stack, may not have been copied
    else stream.drop(copied.memory.windows.slice(0, -2))
  }
}

/** Reads from `first`, and from `second` what that does not have. */
export function bothMemories(first: MemoryReader, second: MemoryReader | undefined): MemoryReader {
  if (second === undefined) return first
  return {
    read(address, length) {
      const bytes = first.read(address, length)
      const others = bytes.length === length ? bytes : second.read(address, length)
      return others.length > bytes.length ? others : bytes
    },
  }
}

/** Reads the stacks of a process that this one has open. */
export function stackReader(held: HeldProcess): StackReader {
  return {
    async readStacks(facts, readMs) {
      if (held.memory === undefined) return undefined
      // the core of another process, such as one that was piped in
      if (facts.auxv.get(AT_SYSINFO_EHDR) !== held.vdso || held.isWaiting) return undefined
      const copying = held.wait(copyWindows(held.memory, facts, monotonicMs() + readMs))
      return (await within(copying, MEMORY_WAIT_MS)) ?? 'late'
    },
  }
}

async function copyWindows(fd: number, facts: CoreFacts, deadlineMs: number): Promise<StackCopy> {
  const memory = new WindowMemory()
  const slab = new Slab()
  const requests = requestWindows(facts, LIMITS)
  let next = requests.next()
  while (next.done !== true && monotonicMs() <= deadlineMs) {
    const { start, length } = next.value
    const bytes = await readMemory(fd, start, slab.take(length))
    if (bytes.length > 0) memory.add(start, bytes)
    next = requests.next(bytes)
  }
  return { memory, isComplete: next.done === true, free: () => slab.free() }
}

async function readMemory(fd: number, start: number, buffer: Buffer): Promise<Buffer> {
  try {
    const { bytesRead } = await readFrom(fd, buffer, 0, buffer.length, start)
    return buffer.subarray(0, bytesRead)
  } catch {
    // EIO: nothing is mapped there
    return buffer.subarray(0, 0)
  }
}
