import * as v from 'valibot'
import { createConnection, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Log } from '../log.ts'
import { listenAt } from '@core-dump-handler/coredump-socket'

/** HOST_DIR where it is not set. */
export const DEFAULT_HOST_DIR = '/var/mnt/core-dump-handler'
/** Name of the socket in HOST_DIR to which the agent connects. */
export const AGENT_SOCKET_NAME = 'receiver-agent.sock'

const MAX_LINE = 4096
/** Of the liveness probe. */
const CHECK_TIMEOUT_MS = 5000
const MESSAGE = v.variant('type', [
  // without a pattern where the node's configuration sets it
  v.object({
    type: v.literal('hello'),
    pipePattern: v.optional(v.pipe(v.string(), v.startsWith('|'))),
  }),
  v.object({ type: v.literal('ping') }),
])

/** What the agent is told in answer to each of its messages. */
export interface ReceiverState {
  readonly pid: number
  readonly version: string
  /** Of the core socket. */
  readonly path: string
  readonly active: number
  readonly captured: number
  readonly stopping: boolean
  /** Names of the unfinished bundles that it writes. */
  readonly parts: readonly string[]
}

export interface AgentLinkOptions {
  readonly hostDir: string
  readonly log: Log
  readonly state: () => ReceiverState
  /** The agent has ended, and no other one is connected. */
  readonly onLost: (pipePattern: string) => void
}

/**
 * The connection of the agent: while it is open, agent and receiver watch each other. Its end is
 * noticed at once, however the other one ended. JSON, a message a line.
 */
export class AgentLink {
  readonly #options: AgentLinkOptions
  #server: Server | undefined
  #agent: Socket | undefined
  #pipePattern: string | undefined
  /** Crashed processes of which nothing is on the disk yet. */
  readonly #waiting = new Set<number>()

  constructor(options: AgentLinkOptions) {
    this.#options = options
  }

  /** The pattern of the composer, once an agent has connected that sets one. */
  get pipePattern(): string | undefined {
    return this.#pipePattern
  }

  async listen(): Promise<void> {
    const path = join(this.#options.hostDir, AGENT_SOCKET_NAME)
    this.#server = await listenAt(path, (socket) => this.#connected(socket), { backlog: 16 })
    this.#server.on('error', () => {})
  }

  /** Names a crashed process of which nothing is on the disk yet, so that its loss is recorded. */
  waits(pid: number): void {
    this.#waiting.add(pid)
    this.#send({ waits: pid })
  }

  /** It has an unfinished bundle, or needs none. */
  waitsNoLonger(pid: number): void {
    if (this.#waiting.delete(pid)) this.#send({ waitsNoLonger: pid })
  }

  /** Tells the agent of a change. */
  report(): void {
    this.#send(this.#options.state())
  }

  close(): void {
    this.#server?.close()
    this.#agent?.destroy()
  }

  #send(message: object): void {
    this.#agent?.write(`${JSON.stringify(message)}\n`)
  }

  #connected(socket: Socket): void {
    const { log, onLost } = this.#options
    let text = ''
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n')
      text = lines.pop() ?? ''
      if (text.length > MAX_LINE) socket.destroy()
      for (const line of lines) this.#received(line, socket)
    })
    socket.on('close', () => {
      if (this.#agent !== socket) return
      this.#agent = undefined
      log.write('warn', 'The agent has ended or does not answer')
      if (this.#pipePattern !== undefined) onLost(this.#pipePattern)
    })
  }

  #received(line: string, socket: Socket): void {
    const message = v.safeParse(MESSAGE, parseJson(line))
    if (!message.success) {
      socket.destroy()
      return
    }
    if (message.output.type === 'hello') {
      this.#pipePattern = message.output.pipePattern
      const before = this.#agent
      this.#agent = socket
      before?.destroy()
      for (const pid of this.#waiting) this.#send({ waits: pid })
    }
    socket.write(`${JSON.stringify(this.#options.state())}\n`)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The liveness probe: 0 where the receiver of HOST_DIR answers, else 1. */
export async function check(env: Readonly<NodeJS.ProcessEnv>): Promise<number> {
  const alive = await isAlive(env['HOST_DIR'] || DEFAULT_HOST_DIR)
  if (!alive) process.stderr.write('The receiver does not answer\n')
  return alive ? 0 : 1
}

/** Whether the receiver of `hostDir` answers within 5 s. */
export async function isAlive(hostDir: string): Promise<boolean> {
  const socket = createConnection(join(hostDir, AGENT_SOCKET_NAME))
  const answered = Promise.withResolvers<boolean>()
  socket.setTimeout(CHECK_TIMEOUT_MS, () => answered.resolve(false))
  socket.on('error', () => answered.resolve(false))
  socket.on('close', () => answered.resolve(false))
  socket.once('data', () => answered.resolve(true))
  socket.write('{"type":"ping"}\n')
  const alive = await answered.promise
  socket.destroy()
  return alive
}
