import type { Budget } from './budget.ts'
import { ByteCursor, MalformedTable } from './byte-cursor.ts'
import type { FrameDescription } from './frame-index.ts'

/** How the caller's value of a register is found. */
export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'same' }
  /** In memory, or the sum itself: the canonical frame address and an offset. */
  | { readonly kind: 'at' | 'is'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'atExpression' | 'isExpression'; readonly expression: Buffer }

/** The canonical frame address: a register and an offset, or an expression. */
export type FrameAddressRule =
  | { readonly register: number; readonly offset: number }
  | { readonly expression: Buffer }

/** The row of an unwind table that covers one address. */
export interface UnwindRow {
  readonly frameAddress: FrameAddressRule
  readonly rules: ReadonlyMap<number, RegisterRule>
  readonly returnAddressRegister: number
  readonly isSignalFrame: boolean
}

const MAX_REMEMBERED = 32
/** Those in use have less than 40. */
const MAX_EXPRESSION_BYTES = 256
const MAX_REGISTER = 128

interface State {
  frameAddress: FrameAddressRule
  rules: Map<number, RegisterRule>
}

/** Runs the instructions up to `vaddr`; undefined when they cannot be understood or the budget is spent. */
export function unwindRowAt(
  description: FrameDescription,
  vaddr: number,
  budget: Budget,
): UnwindRow | undefined {
  if (vaddr < description.start || vaddr >= description.end) return undefined
  const machine = new TableMachine(description, vaddr, budget)
  try {
    machine.run(description.initialInstructions, 0)
    machine.endInitial()
    machine.run(description.instructions, description.instructionsAt)
  } catch (error) {
    if (error instanceof MalformedTable) return undefined
    throw error
  }
  const { returnAddressRegister, isSignalFrame } = description
  return { ...machine.state, returnAddressRegister, isSignalFrame }
}

/** The call frame instructions of DWARF 5, 6.4.2, with the extensions of GNU and Arm. */
class TableMachine {
  readonly state: State = { frameAddress: { register: -1, offset: 0 }, rules: new Map() }
  readonly #description: FrameDescription
  readonly #wanted: number
  readonly #budget: Budget
  #initial: ReadonlyMap<number, RegisterRule> = new Map()
  readonly #remembered: State[] = []
  #location: number

  constructor(description: FrameDescription, wanted: number, budget: Budget) {
    this.#description = description
    this.#wanted = wanted
    this.#budget = budget
    this.#location = description.start
  }

  endInitial(): void {
    this.#initial = new Map(this.state.rules)
  }

  run(instructions: Buffer, at: number): void {
    const cursor = new ByteCursor(instructions)
    while (!cursor.isAtEnd) {
      if (!this.#budget.spend(1)) throw new MalformedTable('the budget is spent')
      const opcode = cursor.u8()
      const operand = opcode & 0x3f
      const high = opcode >> 6
      if (high === 1) this.#advance(operand)
      else if (high === 2) this.#setOffset(operand, cursor.uleb())
      else if (high === 3) this.#restore(operand)
      else if (!this.#move(opcode, cursor, at)) this.#instruction(opcode, cursor)
      if (this.#location > this.#wanted) return
    }
  }

  /** Instructions that move the location. */
  #move(opcode: number, cursor: ByteCursor, at: number): boolean {
    if (opcode === 0x00) return true
    if (opcode === 0x01) {
      const { pointerEncoding } = this.#description
      this.#location = cursor.pointer(pointerEncoding, at + cursor.at)
    } else if (opcode === 0x02) this.#advance(cursor.u8())
    else if (opcode === 0x03) this.#advance(cursor.u16())
    else if (opcode === 0x04) this.#advance(cursor.u32())
    else return false
    return true
  }

  #instruction(opcode: number, cursor: ByteCursor): void {
    const factor = this.#description.dataAlignment
    switch (opcode) {
      case 0x05: // offset_extended
        return this.#setOffset(cursor.uleb(), cursor.uleb())
      case 0x06: // restore_extended
        return this.#restore(cursor.uleb())
      case 0x07: // undefined
        return this.#set(cursor.uleb(), { kind: 'undefined' })
      case 0x08: // same_value
        return this.#set(cursor.uleb(), { kind: 'same' })
      case 0x09: // register
        return this.#set(cursor.uleb(), { kind: 'register', register: cursor.uleb() })
      case 0x0a: // remember_state
        return this.#remember()
      case 0x0b: // restore_state
        return this.#recall()
      case 0x0c: // def_cfa
        return this.#setAddress(cursor.uleb(), cursor.uleb())
      case 0x0d: // def_cfa_register
        return this.#setAddress(cursor.uleb(), this.#addressOffset())
      case 0x0e: // def_cfa_offset
        return this.#setAddress(this.#addressRegister(), cursor.uleb())
      case 0x0f: // def_cfa_expression
        this.state.frameAddress = { expression: expressionOf(cursor) }
        return
      case 0x10: // expression
        return this.#setExpression('atExpression', cursor)
      case 0x11: // offset_extended_sf
        return this.#set(cursor.uleb(), { kind: 'at', offset: cursor.sleb() * factor })
      case 0x12: // def_cfa_sf
        return this.#setAddress(cursor.uleb(), cursor.sleb() * factor)
      case 0x13: // def_cfa_offset_sf
        return this.#setAddress(this.#addressRegister(), cursor.sleb() * factor)
      case 0x14: // val_offset
        return this.#set(cursor.uleb(), { kind: 'is', offset: cursor.uleb() * factor })
      case 0x15: // val_offset_sf
        return this.#set(cursor.uleb(), { kind: 'is', offset: cursor.sleb() * factor })
      case 0x16: // val_expression
        return this.#setExpression('isExpression', cursor)
      case 0x2d: // AARCH64_negate_ra_state: signatures are taken off wherever they are
        return
      case 0x2e: // GNU_args_size
        cursor.uleb()
        return
      case 0x2f: // GNU_negative_offset_extended
        return this.#set(cursor.uleb(), { kind: 'at', offset: -cursor.uleb() * factor })
      default:
        throw new MalformedTable('an instruction is not known')
    }
  }

  #advance(delta: number): void {
    this.#location += delta * this.#description.codeAlignment
  }

  #set(register: number, rule: RegisterRule): void {
    if (register > MAX_REGISTER) throw new MalformedTable('a register is not known')
    this.state.rules.set(register, rule)
  }

  #setOffset(register: number, factored: number): void {
    this.#set(register, { kind: 'at', offset: factored * this.#description.dataAlignment })
  }

  #setExpression(kind: 'atExpression' | 'isExpression', cursor: ByteCursor): void {
    this.#set(cursor.uleb(), { kind, expression: expressionOf(cursor) })
  }

  #restore(register: number): void {
    const rule = this.#initial.get(register)
    if (rule) this.state.rules.set(register, rule)
    else this.state.rules.delete(register)
  }

  #setAddress(register: number, offset: number): void {
    this.state.frameAddress = { register, offset }
  }

  #addressRegister(): number {
    const { frameAddress } = this.state
    if (!('register' in frameAddress)) throw new MalformedTable('the CFA has no register')
    return frameAddress.register
  }

  /** Zero after an expression, as with other unwinders. */
  #addressOffset(): number {
    const { frameAddress } = this.state
    return 'register' in frameAddress ? frameAddress.offset : 0
  }

  #remember(): void {
    if (this.#remembered.length === MAX_REMEMBERED) throw new MalformedTable('too many states')
    const { frameAddress, rules } = this.state
    this.#remembered.push({ frameAddress, rules: new Map(rules) })
  }

  #recall(): void {
    const state = this.#remembered.pop()
    if (state === undefined) throw new MalformedTable('no state was remembered')
    this.state.frameAddress = state.frameAddress
    this.state.rules = state.rules
  }
}

/** A copy of its own, outside of Node's pool: a row is kept longer than its table. */
function expressionOf(cursor: ByteCursor): Buffer {
  const block = cursor.block()
  if (block.length > MAX_EXPRESSION_BYTES) throw new MalformedTable('an expression is too long')
  const copy = Buffer.allocUnsafeSlow(block.length)
  block.copy(copy)
  return copy
}
