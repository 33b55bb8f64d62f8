import type { ThreadFacts } from '../core/core-facts.ts'
import { OVERFLOW_BYTES, RED_ZONE_BYTES, stackTop, WINDOW_LIMITS } from '../core/stack-windows.ts'
import { AT } from '../elf/notes.ts'
import type { Module } from '../modules/module.ts'
import type { Frame, Stack, UsedRange } from './frame.ts'
import type { UnwindContext } from './process-image.ts'
import { Stepper, type Cursor, type Step, type StepResult } from './unwind-step.ts'

/** Frames of one stack that are kept: innermost and outermost ones. */
export const MAX_INNER_FRAMES = 224
export const MAX_OUTER_FRAMES = 32
/** Frames that are walked to come to the outermost ones. */
const MAX_WALKED_FRAMES = 1024
const MAX_GUESSES = 64
/** Of `_start`. */
const MAX_START_BYTES = 64
const PROBE_BYTES = 4096
const MAX_PROBED_BYTES = 2 * 1024 * 1024
/** Switches from a stack to another: of a signal handler to what it interrupted, of Go to a goroutine. */
const MAX_SWITCHES = 16
/** A frame that is further away lies on another stack, or nowhere. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024

/** Finds the frames of threads. */
export class Unwinder {
  readonly #context: UnwindContext
  readonly #stepper: Stepper

  constructor(context: UnwindContext) {
    this.#context = context
    this.#stepper = new Stepper(context)
  }

  walk(thread: ThreadFacts): Stack {
    const { architecture, facts } = this.#context
    const registers = architecture.load(thread.registers, facts)
    const floor = registers[architecture.sp] ?? NaN
    const walk = this.#walkFrom({ registers, floor, isExact: true }, MAX_WALKED_FRAMES)
    const isCut = walk.length === MAX_WALKED_FRAMES || this.#isCutAbove(walk.floor)
    const outer = isCut && !walk.isComplete ? this.#walkOutermost(walk.floor) : undefined
    return assemble(thread.tid, walk, outer)
  }

  #walkFrom(start: Cursor, maxFrames: number): Walk {
    const { architecture } = this.#context
    const walk = new Walk(start)
    let cursor = start
    while (walk.length < maxFrames) {
      if (!this.#context.budget.spend(10)) break
      const pc = cursor.registers[architecture.pc] ?? NaN
      if (Number.isNaN(pc)) break
      // the trampoline of signals begins where the handler returns to
      if (!cursor.isExact && this.#stepper.isSignalReturn(pc)) cursor = { ...cursor, isExact: true }
      const module = this.#context.modules.find(cursor.isExact ? pc : pc - 1)
      const vaddr = module?.vaddrOf(pc)
      walk.push(cursor, pc, module, vaddr)
      const next = this.#checked(this.#next(cursor, module, vaddr, walk), walk)
      if (next === 'end') {
        walk.isComplete = true
        break
      }
      if (next === undefined || !isPlausible(cursor, next)) break
      if (next.changesStack && walk.used.length === MAX_SWITCHES) break
      walk.enter(next, architecture.signalFrameBytes)
      cursor = next
    }
    walk.floor = cursor.floor
    return walk
  }

  #next(
    cursor: Cursor,
    module: Module | undefined,
    vaddr: number | undefined,
    walk: Walk,
  ): StepResult {
    const stepper = this.#stepper
    const { architecture, facts } = this.#context
    const pc = cursor.registers[architecture.pc] ?? NaN
    if (walk.length > 1 && (pc === 0 || this.#isProgramStart(pc))) return 'end'
    let isGo = false
    let isSwitch = false
    if (module !== undefined && vaddr !== undefined) {
      const lookup = cursor.isExact ? vaddr : vaddr - 1
      const found = stepper.byTable(cursor, module, lookup)
      if (found !== undefined) return found
    }
    if (cursor.isExact && stepper.isSignalReturn(pc)) return stepper.bySignalFrame(cursor)
    if (module !== undefined && vaddr !== undefined) {
      const lookup = cursor.isExact ? vaddr : vaddr - 1
      const go = stepper.byGoTable(cursor, module, lookup)
      if (go !== undefined) return go
      const func = module.go?.find(lookup, this.#context.budget)
      isGo = module.go !== undefined
      // systemstack and its like write the stack pointer: their caller is on the goroutine's stack
      isSwitch = func !== undefined && func.frameBytes(lookup) === undefined
    }
    if (walk.length === 1 && cursor.isExact) {
      const called = this.#byCall(cursor, pc, module, facts.segments.isExecutable(pc))
      if (called) return called
    }
    const found = stepper.byFramePointer(cursor, isGo, isSwitch)
    if (found !== undefined) return found
    return walk.guesses++ < MAX_GUESSES ? stepper.byScan(cursor) : undefined
  }

  /** A return address that is no code was overwritten: what comes behind it is guessed. */
  #checked(step: StepResult, walk: Walk): StepResult {
    if (step === undefined || step === 'end' || step.isExact) return step
    const pc = step.registers[this.#context.architecture.pc] ?? NaN
    if (this.#context.facts.segments.isExecutable(pc)) return step
    return walk.guesses++ < MAX_GUESSES ? this.#stepper.byScan(step) : undefined
  }

  /** `_start`, which has no caller, and in some C libraries no unwind table that says so. */
  #isProgramStart(pc: number): boolean {
    const entry = this.#context.facts.auxv.get(AT.ENTRY)
    return entry !== undefined && pc > entry && pc < entry + MAX_START_BYTES
  }

  #byCall(
    cursor: Cursor,
    pc: number,
    module: Module | undefined,
    isCode: boolean,
  ): Step | undefined {
    if (!isCode) return this.#stepper.byCall(cursor, 0)
    const code = module?.code(pc, 8)
    const offset = code?.length === 8 ? this.#context.architecture.returnAddressAt(code) : undefined
    return offset === undefined ? undefined : this.#stepper.byCall(cursor, offset)
  }

  /** The stack goes on above, and its memory was not kept. */
  #isCutAbove(floor: number): boolean {
    const { budget, facts, memory } = this.#context
    const stack = facts.segments.findWritable(floor, OVERFLOW_BYTES)
    if (stack === undefined) return false
    const top = Math.min(stackTop(facts, stack), floor + MAX_PROBED_BYTES)
    for (
      let at = Math.max(floor, stack.vaddr);
      at + 8 < top && budget.spend(1);
      at += PROBE_BYTES
    ) {
      if (memory.read(at, 8).length < 8) return true
    }
    return false
  }

  /**
   * The outermost frames of a stack whose middle was not kept: the first return address near its end
   * from which the unwind tables lead to the outermost frame.
   */
  #walkOutermost(floor: number): Walk | undefined {
    const { facts, architecture, budget, memory } = this.#context
    const stack = facts.segments.findWritable(floor, OVERFLOW_BYTES)
    if (stack === undefined) return undefined
    const top = stackTop(facts, stack)
    let start = Math.max(floor + 8, top - WINDOW_LIMITS.outerBytes)
    // a smaller window was kept: its first byte is looked for from above
    while (start < top && memory.read(start, 8).length < 8) start += 256
    const registers = new Float64Array(architecture.count).fill(NaN)
    for (let at = Math.ceil(start / 8) * 8; at < top && budget.spend(1); at += 8) {
      const found = this.#stepper.byScan({ registers, floor: at, isExact: false }, 1)
      if (found === undefined) continue
      const walk = this.#walkFrom(found, MAX_INNER_FRAMES)
      if (walk.isComplete && walk.frames.length > 1 && walk.isSure) return walk
    }
    return undefined
  }
}

function isPlausible(from: Cursor, to: Step): boolean {
  if (to.changesStack) return true
  // a leaf of a machine with a link register takes no stack
  const rises = from.isExact ? to.floor >= from.floor : to.floor > from.floor
  return rises && to.floor - from.floor < MAX_FRAME_BYTES
}

/** The frames of one walk, and the memory that they take. */
class Walk {
  readonly frames: Frame[] = []
  readonly #outer: Frame[] = []
  readonly used: UsedRange[] = []
  #trust: Step['trust'] = 'context'
  #range: { readonly start: number; end: number }
  length = 0
  guesses = 0
  floor: number
  #last: number
  isComplete = false
  /** No frame but the first was guessed. */
  isSure = true

  constructor(start: Cursor & Partial<Pick<Step, 'trust'>>) {
    this.floor = start.floor
    this.#last = start.floor
    this.#trust = start.trust ?? 'context'
    this.#range = rangeFrom(start.floor)
  }

  push(
    { isExact, floor }: Cursor,
    pc: number,
    module: Module | undefined,
    vaddr: number | undefined,
  ): void {
    const frame: Frame = {
      pc,
      sp: floor,
      trust: this.#trust,
      isExact,
      ...(module && { module }),
      ...(vaddr !== undefined && { vaddr }),
    }
    this.length++
    if (this.frames.length < MAX_INNER_FRAMES + MAX_OUTER_FRAMES) this.frames.push(frame)
    this.#outer.push(frame)
    if (this.#outer.length > MAX_OUTER_FRAMES) this.#outer.shift()
  }

  enter(step: Step, signalFrameBytes: number): void {
    this.#trust = step.trust
    // what the kernel saved is above the stack pointer of the trampoline
    if (step.trust === 'signal') this.#extend(this.#last + signalFrameBytes)
    this.#last = step.floor
    if (step.trust === 'scan') this.isSure = false
    if (step.changesStack) {
      this.close()
      this.#range = rangeFrom(step.floor)
      return
    }
    this.#extend(step.floor)
  }

  #extend(end: number): void {
    this.#range.end = end
  }

  close(): void {
    const { start, end } = this.#range
    if (!Number.isNaN(start)) this.used.push({ start, end })
  }

  outermost(): readonly Frame[] {
    return this.#outer
  }
}

function rangeFrom(floor: number): UsedRange {
  return { start: floor - RED_ZONE_BYTES, end: floor }
}

function assemble(tid: number, walk: Walk, outer: Walk | undefined): Stack {
  walk.close()
  outer?.close()
  const used = [...walk.used, ...(outer?.used ?? [])]
  const all = MAX_INNER_FRAMES + MAX_OUTER_FRAMES
  if (outer === undefined && walk.length <= all) {
    return { tid, frames: walk.frames, isComplete: walk.isComplete, used }
  }
  const inner = walk.frames.slice(0, MAX_INNER_FRAMES)
  const last = (outer ?? walk).outermost().slice(-MAX_OUTER_FRAMES)
  const isComplete = (outer ?? walk).isComplete
  return { tid, frames: [...inner, ...last], gapAt: inner.length, isComplete, used }
}
