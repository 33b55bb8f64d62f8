import { isCriError } from '../error.ts'
import { type Problem, problemOf } from '../problem.ts'
import type { MemoryReader } from '../process/memory-reader.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Deadline } from './deadline.ts'
import type { OpenLogs } from './open-logs.ts'
import type { LookUpOptions } from './types.ts'

/** What all steps of one look-up share. */
export interface Context {
  readonly options: Required<Omit<LookUpOptions, 'signal' | 'totalTimeoutMs' | 'maxLogBytes'>>
  readonly deadline: Deadline
  readonly logs: OpenLogs
  readonly memory: MemoryReader
  readonly problems: Problem[]
}

/** What a step that asks has besides. */
export interface Asking extends Context {
  readonly runtime: Runtime
}

export function complain({ problems }: Context, problem: Problem): void {
  if (!problems.some(({ message }) => message === problem.message)) problems.push(problem)
}

/** Add the problem that `error` is, and return it. */
export function complainOf(context: Context, error: unknown): Problem {
  const { signal } = context.deadline
  // a call that was ended by the limit of the look-up says only that it was ended
  const ended = signal.aborted && isCriError(error) && error.code === 'CRI_ABORTED'
  const problem = problemOf(ended ? signal.reason : error)
  complain(context, problem)
  return problem
}
