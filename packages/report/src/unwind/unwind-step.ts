import type { Module } from '../modules/module.ts'
import type { Registers } from './architecture.ts'
import { MalformedTable } from './byte-cursor.ts'
import { evaluate } from './expression.ts'
import type { Trust } from './frame.ts'
import { ProcessImage, type UnwindContext } from './process-image.ts'
import { unwindRowAt, type RegisterRule, type UnwindRow } from './unwind-row.ts'

/** A frame while its caller is looked for. */
export interface Cursor {
  readonly registers: Registers
  /** No frame of a caller begins below this address. */
  readonly floor: number
  /** The program counter is an instruction that was reached and not a return address. */
  readonly isExact: boolean
}

export interface Step extends Cursor {
  readonly trust: Trust
  /** The caller may be on another stack. */
  readonly changesStack: boolean
}

/** `end`: the frame is the outermost one, by its table. */
export type StepResult = Step | 'end' | undefined

const MAX_ADDRESSES = 8192
/** Of rows that are kept for the next frame at the same place. */
const MAX_ROW_BYTES = 1024 * 1024
const ROW_BYTES = 400
const RULE_BYTES = 200
const SCAN_WORDS = 1024
/** sys.MinFrameSize of Go on arm64, as the stack is aligned. */
const GO_FRAME_BYTES = 16

/** Finds the caller of a frame, in one of several ways. */
export class Stepper {
  readonly #context: UnwindContext
  readonly #rows = new Map<Module, Map<number, UnwindRow | undefined>>()
  #rowBytes = 0
  readonly #image: ProcessImage
  readonly #signalReturns = new Map<number, boolean>()

  constructor(context: UnwindContext) {
    this.#context = context
    this.#image = new ProcessImage(context)
  }

  /** The kernel returns here after a signal handler. */
  isSignalReturn(pc: number): boolean {
    let known = this.#signalReturns.get(pc)
    if (known === undefined) {
      const { architecture } = this.#context
      known = architecture.isSignalReturn(this.#image.code(pc, architecture.signalReturnBytes))
      if (this.#signalReturns.size > MAX_ADDRESSES) this.#signalReturns.clear()
      this.#signalReturns.set(pc, known)
    }
    return known
  }

  /** By the unwind table of the module. */
  byTable(cursor: Cursor, module: Module, vaddr: number): StepResult {
    const row = this.#row(module, vaddr)
    return row && this.#apply(row, cursor)
  }

  /** By Go's own table of stack sizes. */
  byGoTable(cursor: Cursor, module: Module, vaddr: number): StepResult {
    const func = module.go?.find(vaddr, this.#context.budget)
    if (func === undefined) return undefined
    const bytes = func.frameBytes(vaddr)
    if (bytes === undefined || bytes < 0) return func.isOutermost ? 'end' : undefined
    const { architecture, facts } = this.#context
    const { link, sp, fp, pc } = architecture
    const { registers } = cursor
    const at = registers[sp] ?? NaN
    const next = new Float64Array(architecture.count).fill(NaN)
    if (link === undefined) {
      next[pc] = this.#image.codeWord(at + bytes)
      next[sp] = at + bytes + 8
      next[fp] = bytes >= 8 ? this.#image.word(at + bytes - 8) : (registers[fp] ?? NaN)
    } else {
      const isLeaf = bytes === 0
      next[pc] = isLeaf && cursor.isExact ? (registers[link] ?? NaN) : this.#image.codeWord(at)
      next[sp] = at + bytes
      next[fp] = isLeaf ? (registers[fp] ?? NaN) : this.#image.word(at - 8)
    }
    // sigtramp is outermost too, though what a signal interrupted is above it
    if (func.isOutermost && !this.isSignalReturn(next[pc] ?? NaN)) return 'end'
    // the runtime enters sigpanic as if the instruction that faulted had called it
    const isExact = func.name === 'runtime.sigpanic'
    if (isExact && link !== undefined) {
      // and pushes the link register, which a leaf has its caller in
      next[link] = this.#image.codeWord(at + bytes)
      next[sp] = at + bytes + GO_FRAME_BYTES
    }
    if (!facts.segments.isExecutable(next[pc] ?? NaN)) return undefined
    return this.#step(next, 'cfi', isExact)
  }

  /** What a signal handler interrupted. */
  bySignalFrame(cursor: Cursor): Step | undefined {
    const { architecture } = this.#context
    const next = new Float64Array(architecture.count).fill(NaN)
    const at = cursor.registers[architecture.sp] ?? NaN
    for (const [register, offset] of architecture.signalFrame) {
      next[register] = this.#load(register, at + offset)
    }
    if (Number.isNaN(next[architecture.pc]) || Number.isNaN(next[architecture.sp])) return undefined
    return { ...this.#step(next, 'signal', true), changesStack: true }
  }

  /** Of a call to what is no code, or into a function that has not made its frame yet. */
  byCall(cursor: Cursor, offset: number): Step | undefined {
    const { architecture } = this.#context
    const { link, sp, pc } = architecture
    const at = cursor.registers[sp] ?? NaN
    const address = link === undefined ? this.#image.codeWord(at + offset) : cursor.registers[link]
    if (address === undefined || this.#image.isReturnAddress(address) === 'no') return undefined
    const next = Float64Array.from(cursor.registers)
    next[pc] = address
    if (link === undefined) {
      next[sp] = at + offset + 8
      if (offset === 8) next[architecture.fp] = this.#image.word(at)
    }
    return this.#step(next, 'call', false)
  }

  /** By the chain of frame pointers. `isSwitch`: the function may have come from another stack. */
  byFramePointer(cursor: Cursor, isGo: boolean, isSwitch: boolean): Step | undefined {
    const { architecture } = this.#context
    const fp = cursor.registers[architecture.fp] ?? NaN
    if (!(fp % 8 === 0) || !(fp >= cursor.floor || isSwitch)) return undefined
    const address = this.#image.codeWord(fp + 8)
    const outer = this.#image.word(fp)
    if (!(outer > fp || outer === 0 || isSwitch)) return undefined
    const answer = this.#image.isReturnAddress(address)
    // interpreters return into code of their own, and Go to the instruction that faulted: no call is before it
    const isOwnCode = isGo || this.#context.modules.find(address) === undefined
    if (answer === 'no' && !(isOwnCode && this.#image.isExecutable(address))) return undefined
    return {
      ...this.#guess(address, outer, fp + 16, answer === 'unknown' ? 'scan' : 'fp'),
      changesStack: isSwitch,
    }
  }

  /** A guess: the next of so many words on the stack that is an address behind a call. */
  byScan(cursor: Cursor, words: number = SCAN_WORDS): Step | undefined {
    const { budget } = this.#context
    const start = Math.ceil(cursor.floor / 8) * 8
    for (let index = 0; index < words && budget.spend(1); index++) {
      const at = start + index * 8
      const address = this.#image.codeWord(at)
      if (Number.isNaN(address)) return undefined
      if (this.#image.isReturnAddress(address) !== 'yes') continue
      const below = this.#image.word(at - 8)
      return this.#guess(address, below > at && below < at + 65_536 ? below : NaN, at + 8, 'scan')
    }
    return undefined
  }

  #guess(address: number, fp: number, floor: number, trust: Trust): Step {
    const { architecture } = this.#context
    const next = new Float64Array(architecture.count).fill(NaN)
    next[architecture.pc] = address
    next[architecture.fp] = fp
    // where the frame record lies in a frame is the compiler's choice on machines with a link register
    if (architecture.link === undefined) next[architecture.sp] = floor
    return { registers: next, floor, trust, isExact: false, changesStack: false }
  }

  #step(registers: Registers, trust: Trust, isExact: boolean): Step {
    const floor = registers[this.#context.architecture.sp] ?? NaN
    return { registers, floor, trust, isExact, changesStack: false }
  }

  #row(module: Module, vaddr: number): UnwindRow | undefined {
    let rows = this.#rows.get(module)
    if (rows === undefined || this.#rowBytes > MAX_ROW_BYTES) {
      if (this.#rowBytes > MAX_ROW_BYTES) {
        this.#rows.clear()
        this.#rowBytes = 0
      }
      rows = new Map()
      this.#rows.set(module, rows)
    }
    if (rows.has(vaddr)) return rows.get(vaddr)
    const { budget } = this.#context
    const description = module.frames?.find(vaddr, budget)
    const row = description && unwindRowAt(description, vaddr, budget)
    rows.set(vaddr, row)
    this.#rowBytes += ROW_BYTES + RULE_BYTES * (row?.rules.size ?? 0)
    return row
  }

  #apply(row: UnwindRow, cursor: Cursor): StepResult {
    const { architecture } = this.#context
    const { registers } = cursor
    const cfa = this.#frameAddress(row, registers)
    if (Number.isNaN(cfa)) return undefined
    const next = new Float64Array(architecture.count).fill(NaN)
    for (const register of architecture.calleeSaved) next[register] = registers[register] ?? NaN
    next[architecture.sp] = cfa
    for (const [register, rule] of row.rules) {
      if (register < architecture.count)
        next[register] = this.#value(rule, register, cfa, registers)
    }
    const rule = row.rules.get(row.returnAddressRegister)
    if (rule?.kind === 'undefined') return 'end'
    // a return address that is still in its register is one of the innermost frame only
    if (rule === undefined && (architecture.link === undefined || !cursor.isExact)) return 'end'
    const address = next[row.returnAddressRegister] ?? NaN
    if (Number.isNaN(address)) return undefined
    next[architecture.pc] = address
    const step = this.#step(next, row.isSignalFrame ? 'signal' : 'cfi', row.isSignalFrame)
    return address === 0 ? 'end' : { ...step, changesStack: row.isSignalFrame }
  }

  #frameAddress({ frameAddress }: UnwindRow, registers: Registers): number {
    return 'register' in frameAddress
      ? (registers[frameAddress.register] ?? NaN) + frameAddress.offset
      : this.#evaluate(frameAddress.expression, undefined, registers)
  }

  #value(rule: RegisterRule, register: number, cfa: number, registers: Registers): number {
    switch (rule.kind) {
      case 'undefined':
        return NaN
      case 'same':
        return registers[register] ?? NaN
      case 'at':
        return this.#load(register, cfa + rule.offset)
      case 'is':
        return cfa + rule.offset
      case 'register':
        return registers[rule.register] ?? NaN
      case 'atExpression':
        return this.#load(register, this.#evaluate(rule.expression, cfa, registers))
      default:
        return this.#evaluate(rule.expression, cfa, registers)
    }
  }

  #evaluate(expression: Buffer, first: number | undefined, registers: Registers): number {
    const word = (address: number): number => this.#image.word(address)
    try {
      return evaluate(expression, first, { registers, word, budget: this.#context.budget })
    } catch (error) {
      if (error instanceof MalformedTable) return NaN
      throw error
    }
  }

  #load(register: number, address: number): number {
    const { link, pc } = this.#context.architecture
    return register === link || register === pc
      ? this.#image.codeWord(address)
      : this.#image.word(address)
  }
}
