import type { CoreFacts } from '../core/core-facts.ts'
import type { MemoryReader } from '../core/memory.ts'
import type { ModuleMap } from '../modules/module-map.ts'
import type { Architecture } from './architecture.ts'
import type { Budget } from './budget.ts'

/** What unwinding looks at. */
export interface UnwindContext {
  readonly facts: CoreFacts
  readonly architecture: Architecture
  readonly memory: MemoryReader
  readonly modules: ModuleMap
  readonly budget: Budget
}

const CHUNK_BYTES = 1024
const CHUNK_BELOW_BYTES = 128

/** Memory and code of the crashed process, as an unwinder reads them: word by word, up a stack. */
export class ProcessImage {
  readonly #context: UnwindContext
  #chunk: Buffer = Buffer.alloc(0)
  #chunkStart = 0

  constructor(context: UnwindContext) {
    this.#context = context
  }

  /** 8 bytes of memory, or NaN. */
  word(address: number): number {
    const at = this.#locate(address)
    return at < 0 ? NaN : this.#chunk.readUInt32LE(at) + this.#chunk.readUInt32LE(at + 4) * 2 ** 32
  }

  /** A word that is a code address; without its signature. */
  codeWord(address: number): number {
    const { architecture, facts } = this.#context
    const at = this.#locate(address)
    if (at < 0) return NaN
    const [low, high] = [this.#chunk.readUInt32LE(at), this.#chunk.readUInt32LE(at + 4)]
    return architecture.codeAddress(low, high, facts)
  }

  isExecutable(address: number): boolean {
    return this.#context.facts.segments.isExecutable(address)
  }

  /** There is a call before this address; `unknown` when its code cannot be read. */
  isReturnAddress(address: number): 'yes' | 'no' | 'unknown' {
    if (!this.isExecutable(address)) return 'no'
    const code = this.code(address - 8, 8)
    // code that was made at run time is not always in the core
    if (code.length < 8) return this.#context.modules.find(address) ? 'unknown' : 'yes'
    return this.#context.architecture.endsWithCall(code) ? 'yes' : 'no'
  }

  code(address: number, length: number): Buffer {
    const module = this.#context.modules.find(address)
    return module ? module.code(address, length) : this.#context.memory.read(address, length)
  }

  /** Where 8 bytes of memory are in the chunk, which most reads come from; negative when there are none. */
  #locate(address: number): number {
    const at = address - this.#chunkStart
    if (at >= 0 && at + 8 <= this.#chunk.length) return at
    const { memory } = this.#context
    // words below the one that is asked for first are asked for soon
    for (const start of [address - CHUNK_BELOW_BYTES, address]) {
      const chunk = memory.read(start, CHUNK_BYTES)
      // false of an address that is not known, too
      if (!(chunk.length >= address - start + 8)) continue
      this.#chunk = chunk
      this.#chunkStart = start
      return address - start
    }
    return -1
  }
}
