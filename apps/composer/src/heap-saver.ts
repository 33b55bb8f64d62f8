import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The space for new objects does not grow, eightfold where many objects live for a while. */
const NO_GROWTH = '--semi-space-growth-factor=1'
/** A collection takes 5 to 8 ms, a hundredth of the time in which so much is drained. */
const COLLECT_EVERY_BYTES = 256 * 2 ** 20

/**
 * Keeps the memory of V8 small while the stacks of many threads are read. Nothing more is compiled, which takes
 * memory of each of V8's threads and pays only for code that runs for long.
 */
export function saveHeap(): void {
  setFlags(NO_GROWTH, '--no-opt', '--no-maglev', '--no-sparkplug')
}

/**
 * Keeps the memory of V8 small while a long core is drained. Nothing more is compiled by TurboFan, whose memory
 * stays with the process. The objects of each block outlive the space for new objects: they are 2 MiB after each
 * GiB, and no flag makes V8 collect them in a heap as small as this one.
 */
export class HeapSaver {
  #collect: unknown
  #collectedBytes: number

  constructor(drainedBytes: number) {
    this.#collectedBytes = drainedBytes
    setFlags(NO_GROWTH, '--optimize-for-size', '--no-opt', '--expose-gc')
  }

  update(drainedBytes: number): void {
    if (drainedBytes - this.#collectedBytes < COLLECT_EVERY_BYTES) return
    this.#collectedBytes = drainedBytes
    // the flag is too late for the global object of the process, not for a new one
    this.#collect ??= runInNewContext('gc')
    if (typeof this.#collect === 'function') this.#collect({ type: 'major', execution: 'sync' })
  }
}

function setFlags(...flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag)
}
