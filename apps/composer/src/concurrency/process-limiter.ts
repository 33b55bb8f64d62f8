import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { type Server, type Socket, createConnection, createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import {
  errorCode,
  errorMessage,
  type Limiter,
  makeDirectory,
  monotonicMs,
  Scheduler,
  type Slot,
  type SlotRequest,
  type Stage,
  type Ticket,
  waitForTurn,
} from '@core-dump-handler/capture'

// no composer waits for ever: then it goes on, whatever the others do
const MAX_WAIT_MS = 60_000
// fewer would wait for each other, not for a CPU: `npm run bench -- storm`
const MIN_DRAINS = 8
const MAX_TRIES = 100
const SETTLE_MS = 500
/** The followers of a leader that has ended report to the next one in this time, before it decides. */
const TAKE_OVER_MS = 50
const SOCKET_NAME = /^leader-(\d{1,9})$/
const REPORT = /^(queued|draining|drained|writing) (\d+) (.*)$/

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
        const server = await listenAs(join(this.#directory, `leader-${free}`))
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

  async drained(): Promise<void> {
    if (!this.#request.released) {
      this.#turn = Promise.withResolvers()
      this.#report('drained')
    }
    if (this.#failed || this.#leadership?.followers === 0) this.#options.onDrainedAlone()
    await this.turn('writing')
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
      if (bytes.toString('latin1').includes(expected)) this.#turn.resolve()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#connection = undefined
      if (!this.#released) void this.join(true)
    })
    socket.write(formatReport(this.#ticket))
  }

  #lead(server: Server, number: number, takesOver: boolean): void {
    removeOlder(this.#directory, number)
    const { concurrentDrains } = this.#options
    const limit = concurrentDrains || Math.max(MIN_DRAINS, availableParallelism())
    this.#leadership = new Leadership(server, new Scheduler(limit), takesOver ? TAKE_OVER_MS : 0)
    this.#leadership.add(this.#ticket)
  }
}

/** What the leader does for the others. */
export class Leadership {
  readonly #server: Server
  readonly #scheduler: Scheduler
  readonly #connections = new Set<Socket>()
  readonly #timer: NodeJS.Timeout
  #decidesFromMs: number

  constructor(server: Server, scheduler: Scheduler, waitMs = 0) {
    this.#server = server
    this.#scheduler = scheduler
    this.#decidesFromMs = monotonicMs() + waitMs
    this.#timer = setInterval(() => this.#settle(), SETTLE_MS).unref()
    if (waitMs > 0) setTimeout(() => this.#settle(), waitMs + 1).unref()
    server.on('connection', (socket) => this.#serve(socket))
  }

  get followers(): number {
    return this.#connections.size
  }

  add(ticket: Ticket): void {
    this.#scheduler.add(ticket)
    this.#settle()
  }

  move(ticket: Ticket, stage: Stage): void {
    this.#scheduler.move(ticket, stage)
    this.#settle()
  }

  /** Ends its term: the followers elect another leader. Idempotent. */
  close(): void {
    if (!this.#server.listening) return
    clearInterval(this.#timer)
    // libuv removes the socket's name before it closes it
    this.#server.close()
    for (const socket of this.#connections) socket.destroy()
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket)
    let ticket: Ticket | undefined
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString()
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const report = parseReport(text.slice(0, end))
        text = text.slice(end + 1)
        if (report === undefined) {
          socket.destroy()
          return
        }
        if (ticket !== undefined) this.#scheduler.move(ticket, report.stage)
        else {
          const onTurn = (stage: Stage): void => void socket.write(stage === 'draining' ? 'd' : 'w')
          this.#scheduler.add((ticket = { ...report, onTurn }))
        }
        this.#settle()
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#connections.delete(socket)
      if (ticket !== undefined) this.#scheduler.remove(ticket)
      this.#settle()
    })
  }

  #settle(): void {
    if (this.#server.listening && monotonicMs() >= this.#decidesFromMs) this.#scheduler.settle()
  }
}

/** A connection to the leader, or the number of the name that the next one takes. */
async function connectToLeader(
  directory: string,
): Promise<{ readonly socket?: Socket; readonly free: number }> {
  makeDirectory(directory)
  const entries = readdirSync(directory, { withFileTypes: true })
  let last = 0
  let isSocket = false
  for (const entry of entries) {
    const number = Number(SOCKET_NAME.exec(entry.name)?.[1] ?? 0)
    if (number > last) [last, isSocket] = [number, entry.isSocket()]
  }
  if (!isSocket) return { free: last + 1 }
  const socket = createConnection(join(directory, `leader-${last}`))
  try {
    await once(socket, 'connect')
    return { socket, free: last + 1 }
  } catch (error) {
    // ECONNREFUSED: it has died. ENOENT, ECONNRESET: it has just closed, and its name is free
    const code = errorCode(error)
    if (code === 'ECONNREFUSED') return { free: last + 1 }
    if (code === 'ENOENT' || code === 'ECONNRESET') return { free: last }
    throw error
  }
}

/** A server that owns the name; undefined: another composer was first. */
async function listenAs(path: string): Promise<Server | undefined> {
  const server = createServer()
  try {
    server.listen(path)
    await once(server, 'listening')
    return server
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined
    throw error
  }
}

/** Removes the names of leaders that have died. */
function removeOlder(directory: string, number: number): void {
  for (const name of readdirSync(directory)) {
    if (Number(SOCKET_NAME.exec(name)?.[1] ?? number) >= number) continue
    try {
      rmSync(join(directory, name))
    } catch {
      // a directory, or removed by another composer: the higher name counts
    }
  }
}

function formatReport({ stage, arrivedMs, scope }: Ticket): string {
  return `${stage} ${arrivedMs} ${scope}\n`
}

function parseReport(line: string): Omit<Ticket, 'onTurn'> | undefined {
  const [, stage, arrivedMs, scope] = REPORT.exec(line) ?? []
  if (scope === undefined || !isStage(stage)) return undefined
  return { stage, arrivedMs: Number(arrivedMs), scope }
}

function isStage(text: string | undefined): text is Stage {
  return text === 'queued' || text === 'draining' || text === 'drained' || text === 'writing'
}
