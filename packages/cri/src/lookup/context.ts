import { isCriError } from '../error.ts'
import type { JsonObject } from '../json.ts'
import { type Problem, problemOf } from '../warning.ts'
import type { MemoryReader } from '../process/memory-reader.ts'
import type { Inspection, Runtime } from '../runtime/runtime.ts'
import type { Deadline } from '../time-limit.ts'
import type { OpenLogs } from './container-logs.ts'
import type { Identity, LookUpOptions } from './types.ts'

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

/** Where the first half of a look-up has got to, and the second goes on from. */
export interface Found {
  readonly identity: Identity
  readonly sandboxId?: string
  readonly podInfo?: JsonObject
  /** As `crictl inspectp`, where it has been asked for already. */
  readonly sandbox?: Inspection
  /** The container that crashed. */
  readonly container?: { readonly id: string; readonly inspection: Inspection }
}

export function unverified(reason: string, known: Omit<Identity, 'status' | 'reason'> = {}): Found {
  return { identity: { status: 'unverified', reason, ...known } }
}
