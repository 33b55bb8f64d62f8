import type { Budget } from './budget.ts'
import { ByteCursor, MalformedTable } from './byte-cursor.ts'
import type { Registers } from './architecture.ts'

const MAX_STACK = 64
const MASK = (1n << 64n) - 1n

/** What an expression may look at. */
export interface ExpressionInput {
  readonly registers: Registers
  /** 8 bytes of memory, or NaN. */
  readonly word: (address: number) => number
  readonly budget: Budget
}

const BINARY: ReadonlyMap<number, (a: bigint, b: bigint) => bigint> = new Map([
  [0x1a, (a: bigint, b: bigint) => a & b],
  [0x1c, (a: bigint, b: bigint) => a - b],
  [0x1e, (a: bigint, b: bigint) => a * b],
  [0x21, (a: bigint, b: bigint) => a | b],
  [0x22, (a: bigint, b: bigint) => a + b],
  [0x24, (a: bigint, b: bigint) => (b < 64n ? a << b : 0n)],
  [0x25, (a: bigint, b: bigint) => (b < 64n ? a >> b : 0n)],
  [0x26, (a: bigint, b: bigint) => signed(a) >> (b < 64n ? b : 63n)],
  [0x27, (a: bigint, b: bigint) => a ^ b],
  [0x29, (a: bigint, b: bigint) => BigInt(a === b)],
  [0x2a, (a: bigint, b: bigint) => BigInt(signed(a) >= signed(b))],
  [0x2b, (a: bigint, b: bigint) => BigInt(signed(a) > signed(b))],
  [0x2c, (a: bigint, b: bigint) => BigInt(signed(a) <= signed(b))],
  [0x2d, (a: bigint, b: bigint) => BigInt(signed(a) < signed(b))],
  [0x2e, (a: bigint, b: bigint) => BigInt(a !== b)],
])

/**
 * Evaluates a DWARF expression (DWARF 5, 2.5) of those that unwind tables have: no branches, so it ends.
 * NaN when it needs what is not known; throws MalformedTable when it cannot be understood.
 */
export function evaluate(
  expression: Buffer,
  first: number | undefined,
  input: ExpressionInput,
): number {
  const cursor = new ByteCursor(expression)
  const stack: bigint[] = first === undefined ? [] : [toBig(first)]
  while (!cursor.isAtEnd) {
    if (!input.budget.spend(1) || stack.length > MAX_STACK) {
      throw new MalformedTable('an expression is too long')
    }
    const opcode = cursor.u8()
    const binary = BINARY.get(opcode)
    if (binary) {
      const right = pop(stack)
      stack.push(binary(pop(stack), right) & MASK)
      continue
    }
    const pushed = constant(opcode, cursor) ?? computed(opcode, cursor, stack, input)
    if (pushed === undefined) continue
    if (Number.isNaN(pushed)) return NaN
    stack.push(toBig(pushed))
  }
  return Number(pop(stack))
}

/** Operations that push what is in the expression itself. */
function constant(opcode: number, cursor: ByteCursor): number | undefined {
  if (opcode >= 0x30 && opcode <= 0x4f) return opcode - 0x30
  switch (opcode) {
    case 0x08:
      return cursor.u8()
    case 0x09:
      return (cursor.u8() << 24) >> 24
    case 0x0a:
      return cursor.u16()
    case 0x0b:
      return (cursor.u16() << 16) >> 16
    case 0x0c:
      return cursor.u32()
    case 0x0d:
      return cursor.i32()
    case 0x0e:
      return cursor.u64()
    case 0x0f:
      return cursor.i64()
    case 0x10:
      return cursor.uleb()
    case 0x11:
      return cursor.sleb()
    default:
      return undefined
  }
}

/** Undefined when the stack has been changed instead. */
function computed(
  opcode: number,
  cursor: ByteCursor,
  stack: bigint[],
  { registers, word }: ExpressionInput,
): number | undefined {
  if (opcode >= 0x70 && opcode <= 0x8f) {
    return (registers[opcode - 0x70] ?? NaN) + cursor.sleb()
  }
  switch (opcode) {
    case 0x06: // deref
      return word(Number(pop(stack)))
    case 0x12: // dup
      stack.push(peek(stack, 1))
      return undefined
    case 0x13: // drop
      pop(stack)
      return undefined
    case 0x14: // over
      stack.push(peek(stack, 2))
      return undefined
    case 0x15: // pick
      stack.push(peek(stack, cursor.u8() + 1))
      return undefined
    case 0x16: {
      // swap
      const top = pop(stack)
      const below = pop(stack)
      stack.push(top, below)
      return undefined
    }
    case 0x1f: // neg
      stack.push(-pop(stack) & MASK)
      return undefined
    case 0x20: // not
      stack.push(~pop(stack) & MASK)
      return undefined
    case 0x23: // plus_uconst
      stack.push((pop(stack) + BigInt(cursor.uleb())) & MASK)
      return undefined
    case 0x92: {
      // bregx
      const register = cursor.uleb()
      return (registers[register] ?? NaN) + cursor.sleb()
    }
    case 0x94: {
      // deref_size
      const size = cursor.u8()
      const value = word(Number(pop(stack)))
      return size >= 8 ? value : value % 2 ** (8 * size)
    }
    case 0x96: // nop
      return undefined
    default:
      throw new MalformedTable('an operation is not known')
  }
}

function pop(stack: bigint[]): bigint {
  const value = stack.pop()
  if (value === undefined) throw new MalformedTable('the stack of an expression is empty')
  return value
}

function peek(stack: readonly bigint[], depth: number): bigint {
  const value = stack.at(-depth)
  if (value === undefined) throw new MalformedTable('the stack of an expression is empty')
  return value
}

function signed(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}

function toBig(value: number): bigint {
  return BigInt.asUintN(64, BigInt(value))
}
