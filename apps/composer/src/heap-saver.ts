import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** A collection takes 5 to 8 ms, a hundredth of the time in which so much is drained. */
const COLLECT_EVERY_BYTES = 256 * 2 ** 20

/**
 * Keeps the memory of V8 small while a long core is drained. The space for new objects does not
 * grow, and nothing more is compiled by TurboFan, whose memory stays with the process. The objects
 * of each block outlive the space for new objects: they are 2 MiB after each GiB, and no flag makes
 * V8 collect them in a heap as small as this one.
 */
export class HeapSaver {
  readonly #collect: unknown
  #collectedBytes: number

  constructor(drainedBytes: number) {
    this.#collectedBytes = drainedBytes
    for (const flag of [
      '--optimize-for-size',
      '--semi-space-growth-factor=1',
      '--no-opt',
      '--expose-gc',
    ]) {
      setFlagsFromString(flag)
    }
    // the flag is too late for the global object of the process, not for a new one
    this.#collect = runInNewContext('gc')
  }

  update(drainedBytes: number): void {
    if (drainedBytes - this.#collectedBytes < COLLECT_EVERY_BYTES) return
    this.#collectedBytes = drainedBytes
    if (typeof this.#collect === 'function') this.#collect({ type: 'major', execution: 'sync' })
  }
}
