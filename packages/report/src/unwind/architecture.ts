import type { CoreFacts, ThreadFacts } from '../core/core-facts.ts'
import type { MemoryReader } from '../core/memory.ts'

/** What the registers of a caller are, by DWARF number; NaN is unknown. */
export type Registers = Float64Array

/** What the unwinder must know of a machine. */
export interface Architecture {
  readonly name: 'x86_64' | 'aarch64'
  /** Registers in a file, the program counter among them. */
  readonly count: number
  /** DWARF numbers. */
  readonly pc: number
  readonly sp: number
  readonly fp: number
  /** Where a call leaves the return address, of machines with a link register. */
  readonly link: number | undefined
  /** Registers that a function restores before it returns. */
  readonly calleeSaved: readonly number[]
  /** By DWARF number: the registers of a thread, from PRSTATUS. */
  load(registers: Buffer, facts: Pick<CoreFacts, 'pacMask'>): Registers
  /** Names and values in hex, in the order in which they are shown. */
  show(registers: Buffer): readonly (readonly [name: string, value: string])[]
  stackPointer(registers: Buffer): number | undefined
  /** Where the thread has its own storage, which lies in its stack's segment with glibc and musl. */
  threadPointer(thread: ThreadFacts): number | undefined
  /** The code that the kernel returns to after a signal handler begins here. */
  isSignalReturn(code: Buffer): boolean
  /** Bytes of `isSignalReturn`. */
  readonly signalReturnBytes: number
  /** Where the frame of a signal has each register, from the stack pointer; by DWARF number. */
  readonly signalFrame: readonly (readonly [register: number, offset: number])[]
  /** Bytes up to the end of these registers. */
  readonly signalFrameBytes: number
  /** The stack pointer that a signal interrupted, where the frame of one is found in this memory. */
  interruptedStackPointer(stack: Buffer): number | undefined
  /** Where the frame of a signal at this stack pointer has the vector registers. */
  vectorRegisters(sp: number, memory: MemoryReader): readonly { start: number; length: number }[]
  /** The 8 bytes before a return address end with a call. */
  endsWithCall(code: Buffer): boolean
  /** What a return address on the stack means: without its signature. */
  codeAddress(low: number, high: number, facts: Pick<CoreFacts, 'pacMask'>): number
  /** Where a function keeps the return address at this point of its code: bytes above the stack pointer. */
  returnAddressAt(code: Buffer): number | undefined
}
