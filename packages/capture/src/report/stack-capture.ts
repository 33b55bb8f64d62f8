import { read } from 'node:fs'
import { promisify } from 'node:util'
import {
  CoreStream,
  requestWindows,
  WINDOW_LIMITS,
  WindowMemory,
  type CoreFacts,
  type MemoryReader,
} from '@core-dump-handler/report'
import { monotonicMs } from '../system/monotonic-ms.ts'
import { within } from '../within.ts'
import type { HeldProcess } from './held-process.ts'

const readFrom = promisify(read)

/** 4 KiB of each of a thousand threads; 6 MiB would be taken from the memory of the composer. */
const LIMITS = {
  ...WINDOW_LIMITS,
  crashBytes: 256 * 1024,
  totalBytes: 4.25 * 1024 * 1024,
}
/** The memory of a process may lie on a file system of its own that never answers. */
const MEMORY_WAIT_MS = 200
/** While a core is drained: the stacks of many threads are then taken from it. */
const READ_MS = 20
const AT_SYSINFO_EHDR = 33

/**
 * Keeps registers, modules and stacks of a core that passes by. The stacks are those of the process
 * itself while it is held: they do not depend on the order of the core, nor on how much of it is kept.
 * Of a core that has been read whole, and where there are too many, they are taken from it.
 */
export class StackCapture {
  readonly #held: HeldProcess | undefined
  readonly #isHeld: () => boolean
  #stream: CoreStream | undefined = new CoreStream(LIMITS)
  #facts: CoreFacts | undefined
  #ofProcess: MemoryReader = new WindowMemory()
  /** The memory of the process did not answer in time. */
  hasTimedOut = false
  #isOfProcess = false

  constructor(held: HeldProcess | undefined, isHeld: () => boolean) {
    this.#held = held
    this.#isHeld = isHeld
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

  get memory(): MemoryReader {
    const ofProcess = this.#ofProcess
    const ofCore = this.#stream?.memory()
    if (ofCore === undefined) return ofProcess
    return {
      read(address, length) {
        const bytes = ofProcess.read(address, length)
        const others = bytes.length === length ? bytes : ofCore.read(address, length)
        return others.length > bytes.length ? others : bytes
      },
    }
  }

  async #readProcess(stream: CoreStream, readMs: number): Promise<void> {
    const facts = stream.facts()
    const held = this.#held
    if (
      facts === undefined ||
      facts.threads.length === 0 ||
      held?.memory === undefined ||
      !this.#isHeld()
    )
      return
    // the core of another process, such as one that was piped in
    if (facts.auxv.get(AT_SYSINFO_EHDR) !== held.vdso || held.isWaiting) return
    const copied = await within(
      held.wait(copyWindows(held.memory, facts, monotonicMs() + readMs)),
      MEMORY_WAIT_MS,
    )
    if (copied === undefined) this.hasTimedOut = true
    // released meanwhile: what was read last may be missing, and the stream has all of it
    if (copied === undefined || !this.#isHeld()) return
    this.#facts = facts
    this.#ofProcess = copied.memory
    this.#isOfProcess = copied.isComplete
    if (copied.isComplete && stream.isHeadDone) this.#stream = undefined
  }
}

async function copyWindows(
  fd: number,
  facts: CoreFacts,
  deadlineMs: number,
): Promise<{ readonly memory: MemoryReader; readonly isComplete: boolean }> {
  const memory = new WindowMemory()
  const requests = requestWindows(facts, LIMITS)
  let next = requests.next()
  while (next.done !== true && monotonicMs() <= deadlineMs) {
    const { start, length } = next.value
    const bytes = await readMemory(fd, start, length)
    if (bytes.length > 0) memory.add(start, bytes)
    next = requests.next(bytes)
  }
  return { memory, isComplete: next.done === true }
}

async function readMemory(fd: number, start: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  try {
    const { bytesRead } = await readFrom(fd, buffer, 0, length, start)
    return buffer.subarray(0, bytesRead)
  } catch {
    // EIO: nothing is mapped there
    return buffer.subarray(0, 0)
  }
}
