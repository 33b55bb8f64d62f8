import type { Runtime } from '../runtime/runtime.ts'
import type { LookUp, LookUpOptions, LookUpSubject } from './types.ts'

/**
 * Find out whose crash it was and what was around it. Starts at once and never throws: a runtime
 * that is missing, fails or hangs costs its part of the answer, within the limits, and leaves a
 * problem. Without a runtime nobody is asked.
 */
export function lookUp(
  subject: LookUpSubject,
  runtime?: Runtime | Promise<Runtime>,
  options: LookUpOptions = {},
): LookUp {
  void subject
  void runtime
  void options
  throw new Error('not yet')
}
