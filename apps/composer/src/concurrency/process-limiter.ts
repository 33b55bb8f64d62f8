import type { Server, Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import {
  errorMessage,
  type Limiter,
  type Load,
  monotonicMs,
  Scheduler,
  type Slot,
  type SlotRequest,
  type Stage,
  type Ticket,
  waitForTurn,
} from '@core-dump-handler/capture'
import {
  connectToLeader,
  formatReport,
  Leadership,
  listenAs,
  loadOf,
  removeStale,
  socketPath,
} from './leadership.ts'

// no composer waits for ever: then it goes on, whatever the others do
const MAX_WAIT_MS = 60_000
// fewer would wait for each other, not for a CPU: `npm run bench -- storm`
const MIN_DRAINS = 8
const MAX_TRIES = 100
/** The followers of a leader that has ended report to the next one in this time, before it decides. */
const TAKE_OVER_MS = 50

export interface ProcessLimiterOptions {
  /** Its `gate/` has the sockets. */
  readonly home: string
  /** CONCURRENT_DRAINS; 0: one per CPU, at least 8. */
  readonly concurrentDrains: number
  readonly timeoutMs: number
  /** Called when the process is released and no other composer is running. */
  readonly onDrainedAlone: () => void
}

/**
 * Limits the composers of a node, which are separate processes. The first one leads: it listens on
 * `gate/leader-1`, and its scheduler decides. The others follow: each keeps a connection, reports its
 * stage, arrival and scope, and goes on when a byte comes. A leader that is done, or dies, closes its
 * connections; its followers then elect the next one (a name can be bound once) and report again.
 */
export class ProcessLimiter implements Limiter {
  readonly #options: ProcessLimiterOptions

  constructor(options: ProcessLimiterOptions) {
    this.#options = options
  }

  async acquire(request: SlotRequest): Promise<Slot> {
    const member = new Member(this.#options, request)
    await member.join()
    if (!request.released) await member.turn('draining')
    return member
  }
}

/** This composer among the others. */
class Member implements Slot {
  readonly #directory: string
  readonly #options: ProcessLimiterOptions
  readonly #request: SlotRequest
  readonly #ticket: Ticket
  #turn = Promise.withResolvers<void>()
  #leadership: Leadership | undefined
  #connection: Socket | undefined
  #released = false
  #failed = false
  #load: Load = 'low'

  constructor(options: ProcessLimiterOptions, request: SlotRequest) {
    this.#directory = join(options.home, 'gate')
    this.#options = options
    this.#request = request
    this.#ticket = {
      scope: JSON.stringify(request.scope),
      arrivedMs: monotonicMs(),
      stage: request.released ? 'drained' : 'queued',
      onTurn: () => this.#turn.resolve(),
    }
  }

  /** Follows the leader or becomes it; where neither is possible, goes on without the others. */
  async join(takesOver = false): Promise<void> {
    try {
      for (let tries = 0; tries < MAX_TRIES && !this.#released; tries++) {
        const { socket, free } = await connectToLeader(this.#directory)
        if (socket !== undefined) return this.#follow(socket)
        const server = await listenAs(this.#directory, free)
        if (server !== undefined) return this.#lead(server, free, takesOver)
      }
      if (!this.#released) throw new Error(`no leader after ${MAX_TRIES} tries`)
    } catch (error) {
      this.#request.warnings.add('GATE_FAILED', `Went on without a slot: ${errorMessage(error)}`)
      this.#failed = true
      this.#turn.resolve()
    }
  }

  /** Resolves when this composer may go on to `stage`. */
  async turn(stage: Stage): Promise<void> {
    if (this.#failed) return
    const { timeoutMs } = this.#options
    const deadlineMs = monotonicMs() + Math.min(MAX_WAIT_MS, timeoutMs / 4)
    await waitForTurn(this.#turn.promise, deadlineMs, this.#request)
    this.#report(stage)
  }

  async drained(): Promise<Load> {
    if (!this.#request.released) {
      this.#turn = Promise.withResolvers()
      this.#report('drained')
    }
    if (this.#failed || this.#leadership?.followers === 0) this.#options.onDrainedAlone()
    await this.turn('writing')
    return this.load
  }

  get load(): Load {
    return this.#leadership?.load ?? this.#load
  }

  release(): void {
    this.#released = true
    this.#connection?.destroy()
    this.#leadership?.close()
  }

  #report(stage: Stage): void {
    if (this.#leadership !== undefined) return this.#leadership.move(this.#ticket, stage)
    this.#ticket.stage = stage
    this.#connection?.write(formatReport(this.#ticket))
  }

  #follow(socket: Socket): void {
    this.#connection = socket
    socket.on('data', (bytes) => {
      // `d`: it may drain, `w`: it may write
      const expected = this.#ticket.stage === 'queued' ? 'd' : 'w'
      const text = bytes.toString('latin1')
      this.#load = loadOf(text)
      if (text.includes(expected)) this.#turn.resolve()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#connection = undefined
      if (!this.#released) void this.join(true)
    })
    socket.write(formatReport(this.#ticket))
  }

  #lead(server: Server, number: number, takesOver: boolean): void {
    removeStale(this.#directory, number)
    const { concurrentDrains } = this.#options
    const limit = concurrentDrains || Math.max(MIN_DRAINS, availableParallelism())
    const path = socketPath(this.#directory, number)
    const waitMs = takesOver ? TAKE_OVER_MS : 0
    this.#leadership = new Leadership(server, path, new Scheduler(limit), waitMs)
    this.#leadership.add(this.#ticket)
  }
}
