import type { Module } from '../modules/module.ts'

/**
 * How a frame was found: `context` by the registers of the core, `cfi` by an unwind table (`.eh_frame`, or
 * Go's own), `signal` by what the kernel saved when it called a signal handler, `call` by the return address
 * of a call that had not yet made a frame, `fp` by the frame pointer, `scan` by searching the stack: a guess.
 */
export type Trust = 'context' | 'cfi' | 'signal' | 'call' | 'fp' | 'scan'

/** One activation of a function. */
export interface Frame {
  readonly pc: number
  readonly sp: number
  readonly trust: Trust
  /** `pc` is the instruction itself and not a return address. */
  readonly isExact: boolean
  readonly module?: Module
  /** `pc` in the module's own numbering. */
  readonly vaddr?: number
  symbol?: string
  /** Bytes from the symbol to `pc`. */
  plus?: number
}

/** The frames of a thread, innermost first. */
export interface Stack {
  readonly tid: number
  readonly frames: readonly Frame[]
  /** Frames before this index are the innermost, those from it the outermost; absent when none are between. */
  readonly gapAt?: number
  /** The outermost frame is the last one that the thread has. */
  readonly isComplete: boolean
  /** Memory that the frames take, for a minicore. */
  readonly used: readonly UsedRange[]
}

/** A part of a stack, from the stack pointer of its innermost frame on. */
export interface UsedRange {
  readonly start: number
  /** Behind the last frame. */
  readonly end: number
}

/** Where a frame is looked up: a return address belongs to the call before it. */
export function lookupAddress(frame: Pick<Frame, 'isExact'>, address: number): number {
  return frame.isExact ? address : address - 1
}
