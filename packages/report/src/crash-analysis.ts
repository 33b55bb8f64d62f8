import type { CoreFacts, ThreadFacts } from './core/core-facts.ts'
import type { MemoryReader } from './core/memory.ts'
import { AT } from './elf/notes.ts'
import { OVERFLOW_BYTES } from './core/stack-windows.ts'
import { BlockCache } from './elf/byte-source.ts'
import { ModuleMap } from './modules/module-map.ts'
import type { Module, OpenModule } from './modules/module.ts'
import { nameFrames } from './names/name-frames.ts'
import type { Architecture } from './unwind/architecture.ts'
import { architectureOf } from './unwind/architectures.ts'
import { Budget, type BudgetOptions } from './unwind/budget.ts'
import type { Stack } from './unwind/frame.ts'
import { Unwinder } from './unwind/unwinder.ts'

/** Of all threads together, within the 8 MiB of an analysis: 12 each of a thousand. */
const MAX_FRAMES = 12_000

export interface AnalysisInput {
  readonly facts: CoreFacts
  /** The stacks, and what else is known of the process's memory. */
  readonly memory: MemoryReader
  /** @default no file is available */
  readonly openModule?: OpenModule
  readonly budget?: BudgetOptions
}

/**
 * One crash, step by step: each step takes what the ones before it found, and none throws. The budget
 * begins with the construction and is shared by all steps.
 */
export class CrashAnalysis {
  readonly facts: CoreFacts
  readonly memory: MemoryReader
  readonly architecture: Architecture | undefined
  readonly modules: ModuleMap
  readonly budget: Budget
  readonly #unwinder: Unwinder | undefined
  readonly #stacks: (Stack | undefined)[] = []
  #frames = 0
  #areNamed = false

  constructor({ facts, memory, openModule = () => undefined, budget = {} }: AnalysisInput) {
    this.facts = facts
    this.memory = memory
    this.budget = new Budget(budget)
    this.architecture = architectureOf(facts)
    this.modules = new ModuleMap(facts, memory, openModule, new BlockCache())
    if (this.architecture !== undefined) {
      const { architecture, modules } = this
      this.#unwinder = new Unwinder({ facts, architecture, memory, modules, budget: this.budget })
    }
  }

  /** The frames of the thread that crashed; undefined when there is no thread, or no unwinder for it. */
  get crashingStack(): Stack | undefined {
    return this.#stacks[0]
  }

  /** By the order of `facts.threads`; undefined where a thread has not been unwound. */
  get stacks(): readonly (Stack | undefined)[] {
    return this.#stacks
  }

  /** The file of the program itself. */
  get executable(): Module | undefined {
    const at = this.facts.auxv.get(AT.PHDR) ?? this.facts.auxv.get(AT.ENTRY)
    return at === undefined ? undefined : this.modules.find(at)
  }

  /** Modules that have code; files that were only read are none. */
  *loadedModules(): Generator<Module> {
    const { segments } = this.facts
    for (const module of this.modules.modules) {
      const hasCode = module.mappings.some(({ start }) => segments.isExecutable(start))
      if (hasCode && module.isElf) yield module
    }
  }

  /**
   * The stack pointer of the crash has left the stack, or is about to: recursion without an end. Of a
   * handler on another stack, that of what it interrupted.
   */
  get isStackOverflow(): boolean {
    const frames = this.crashingStack?.frames ?? []
    const crash = frames.findLast(({ trust }) => trust === 'signal') ?? frames[0]
    if (crash === undefined) return false
    const stack = this.facts.segments.findWritable(crash.sp, OVERFLOW_BYTES)
    return stack !== undefined && crash.sp < stack.vaddr + 256
  }

  unwindCrashingThread(): Stack | undefined {
    return this.#unwind(this.facts.threads[0], 0)
  }

  /** All threads that have not been unwound, until the budget is spent. */
  unwindAllThreads(): void {
    this.facts.threads.forEach((thread, index) => {
      const isFull = this.#frames >= MAX_FRAMES
      if (!isFull && this.budget.spend(10)) this.#unwind(thread, index)
    })
  }

  /** Names of the functions of all frames found so far. */
  nameFrames(): void {
    const frames = this.#stacks.flatMap((stack) => stack?.frames ?? [])
    nameFrames(frames, this.budget)
    this.#areNamed = true
  }

  get areNamed(): boolean {
    return this.#areNamed
  }

  #unwind(thread: ThreadFacts | undefined, index: number): Stack | undefined {
    if (thread === undefined || this.#unwinder === undefined) return undefined
    const known = this.#stacks[index]
    if (known !== undefined) return known
    const stack = this.#unwinder.walk(thread)
    this.#frames += stack.frames.length
    this.#stacks[index] = stack
    this.#areNamed = false
    return stack
  }
}
