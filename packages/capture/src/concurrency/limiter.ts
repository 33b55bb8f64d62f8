import type { StopSignal } from '../timing.ts'
import { monotonicMs, within } from '../timing.ts'
import type { Warnings } from '../warnings.ts'
import {
  type Load,
  Scheduler,
  type SchedulerOptions,
  type Stage,
  type Ticket,
} from './scheduler.ts'

/** A capture that asks for a slot. */
export interface SlotRequest {
  /** Whom fairness is for: crashes of one scope do not keep those of another waiting. */
  readonly scope: string
  /** The process is released already: the slot is for the metadata alone. */
  readonly released: boolean
  readonly stop: StopSignal
  readonly warnings: Warnings
}

/** The right to drain a core, then to write its metadata. */
export interface Slot {
  /** How many captures share the node. */
  readonly load: Load
  /** The process is released; resolves when the metadata may be written, with how many others there are. */
  drained(): Promise<Load>
  /** The capture is over. Idempotent. */
  release(): void
}

/** Bounds the memory and the disk traffic of many captures at once. A bound, not a lock. */
export interface Limiter {
  /** Resolves when the core may be drained; never later than a time limit. Does not reject. */
  acquire(request: SlotRequest): Promise<Slot>
}

export interface LimiterOptions extends SchedulerOptions {
  /** Cores that are drained at the same time, and metadata written. @default 8 */
  readonly limit?: number
  /** No capture waits for a turn longer than this. @default 60000 */
  readonly maxWaitMs?: number
}

const SETTLE_MS = 500

/** Resolves with `turn`, but no later than `deadlineMs` (`monotonicMs`), and at once when stopped. */
export async function waitForTurn(
  turn: Promise<void>,
  deadlineMs: number,
  { stop, warnings }: Pick<SlotRequest, 'stop' | 'warnings'>,
): Promise<void> {
  const done = turn.then(() => true)
  const inTime = await within(done, Math.max(0, deadlineMs - monotonicMs()), stop.signal)
  if (inTime || stop.signal.aborted) return
  warnings.add('GATE_TIMEOUT', 'Too many crashes at once: went on without a slot')
}

/** A limiter for the captures of one process. */
export function createLimiter({
  limit = 8,
  maxWaitMs = 60_000,
  ...options
}: LimiterOptions = {}): Limiter {
  const scheduler = new Scheduler(limit, options)
  let timer: NodeJS.Timeout | undefined

  function settle(): void {
    scheduler.settle()
    clearTimeout(timer)
    timer = scheduler.size > 0 ? setTimeout(settle, SETTLE_MS).unref() : undefined
  }

  async function acquire(request: SlotRequest): Promise<Slot> {
    let turn = Promise.withResolvers<void>()
    const stage: Stage = request.released ? 'drained' : 'queued'
    const arrivedMs = monotonicMs()
    const ticket: Ticket = { scope: request.scope, arrivedMs, stage, onTurn: () => turn.resolve() }
    scheduler.add(ticket)
    settle()
    const wait = async (reached: Stage): Promise<void> => {
      await waitForTurn(turn.promise, monotonicMs() + maxWaitMs, request)
      scheduler.move(ticket, reached)
    }
    if (!request.released) await wait('draining')
    return {
      get load() {
        return scheduler.load
      },
      async drained() {
        if (ticket.stage === 'draining') {
          turn = Promise.withResolvers()
          scheduler.move(ticket, 'drained')
          settle()
        }
        await wait('writing')
        return scheduler.load
      },
      release() {
        scheduler.remove(ticket)
        settle()
      },
    }
  }

  return { acquire }
}
