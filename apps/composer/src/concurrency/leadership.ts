import { once } from 'node:events'
import { existsSync, linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import {
  errorCode,
  type Load,
  makeDirectory,
  monotonicMs,
  type Scheduler,
  type Stage,
  type Ticket,
} from '@core-dump-handler/capture'

const SETTLE_MS = 500
/** What a follower gets beside `w`. */
const LOADS: Readonly<Record<Load, string>> = { low: '', high: 'h', storm: 's' }
const REPORT = /^(queued|draining|drained|writing) (\d+) (.*)$/

/** What the leader does: it decides for itself and for the followers on its socket. */
export class Leadership {
  readonly #server: Server
  readonly #path: string
  readonly #scheduler: Scheduler
  readonly #connections = new Set<Socket>()
  readonly #timer: NodeJS.Timeout
  #decidesFromMs: number

  /** `path` is the name of the server; nothing is decided in the first `waitMs`. */
  constructor(server: Server, path: string, scheduler: Scheduler, waitMs = 0) {
    this.#server = server
    this.#path = path
    this.#scheduler = scheduler
    this.#decidesFromMs = monotonicMs() + waitMs
    this.#timer = setInterval(() => this.#settle(), SETTLE_MS).unref()
    if (waitMs > 0) setTimeout(() => this.#settle(), waitMs + 1).unref()
    server.on('connection', (socket) => this.#serve(socket))
  }

  get followers(): number {
    return this.#connections.size
  }

  get load(): Load {
    return this.#scheduler.load
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
    // the name first: a composer that finds it must find a leader
    rmSync(this.#path, { force: true })
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
          const onTurn = (stage: Stage): void => {
            const may = stage === 'draining' ? 'd' : 'w'
            socket.write(`${may}${LOADS[this.load]}`)
          }
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

/** How many composers share the node, as a leader's bytes to a follower have it. */
export function loadOf(bytes: string): Load {
  return bytes.includes(LOADS.storm) ? 'storm' : bytes.includes(LOADS.high) ? 'high' : 'low'
}

/** What a follower sends when it connects and at each change of its stage. */
export function formatReport({ stage, arrivedMs, scope }: Ticket): string {
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

const TEMPORARY_NAME = /^\.leader-(\d{1,9})$/
const SOCKET_NAME = /^leader-(\d{1,9})$/

/** Path of the socket with this number. */
export function socketPath(directory: string, number: number): string {
  return join(directory, `leader-${number}`)
}

/** A connection to the leader, or the number of the name that the next one takes. */
export async function connectToLeader(
  directory: string,
): Promise<{ readonly socket?: Socket; readonly free: number }> {
  if (!existsSync(directory)) await makeOnMainThread(directory)
  const entries = readdirSync(directory, { withFileTypes: true })
  let last = 0
  let isSocket = false
  for (const entry of entries) {
    const number = Number(SOCKET_NAME.exec(entry.name)?.[1] ?? 0)
    if (number > last) [last, isSocket] = [number, entry.isSocket()]
  }
  if (!isSocket) return { free: last + 1 }
  const socket = createConnection(socketPath(directory, last))
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

/** Without libuv's threads: they would be memory of each composer that waits. */
async function makeOnMainThread(directory: string): Promise<void> {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    // another composer was first, or HOST_DIR itself is missing
    if (errorCode(error) === 'ENOENT') await makeDirectory(directory)
    else if (errorCode(error) !== 'EEXIST') throw error
  }
}

/**
 * A server with the name of this number; undefined: another composer was first. It gets the name
 * when it listens already, so that a refused connection always means a dead leader.
 */
export async function listenAs(directory: string, number: number): Promise<Server | undefined> {
  const temporary = join(directory, `.leader-${process.pid}`)
  const path = socketPath(directory, number)
  rmSync(temporary, { force: true })
  const server = createServer()
  server.listen(temporary)
  await once(server, 'listening')
  try {
    linkSync(temporary, path)
    return server
  } catch (error) {
    server.close()
    if (errorCode(error) === 'EEXIST') return undefined
    throw error
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Removes the names that dead composers have left, but for those above `number`. */
export function removeStale(directory: string, number: number): void {
  for (const name of readdirSync(directory)) {
    const older = Number(SOCKET_NAME.exec(name)?.[1] ?? number) < number
    const pid = TEMPORARY_NAME.exec(name)?.[1]
    if (!older && (pid === undefined || existsSync(`/proc/${pid}`))) continue
    try {
      rmSync(join(directory, name))
    } catch {
      // a directory, or removed by another composer: the highest name counts
    }
  }
}
