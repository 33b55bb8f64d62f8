import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { nodeFiles } from '../node/node-files.ts'

const RETRY_MS = 500
const PING_MS = 1000
/** A receiver that does not answer holds every process that crashes. */
const SILENCE_MS = 10_000
const MAX_LINE = 1 << 20

const STATE = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  version: v.string(),
  path: v.string(),
  active: v.number(),
  captured: v.number(),
  stopping: v.boolean(),
  /** Names of the unfinished bundles that it writes. */
  parts: v.array(v.string()),
})

export type ReceiverState = Readonly<v.InferOutput<typeof STATE>>

/** Of a crashed process: nothing of it is on the disk yet, and then it is. */
const WAITS = v.object({ waits: v.number() })
const WAITS_NO_LONGER = v.object({ waitsNoLonger: v.number() })
const MESSAGE = v.union([STATE, WAITS, WAITS_NO_LONGER])

export interface ReceiverLinkOptions {
  readonly hostDir: string
  /** The receiver sets it when this agent ends; undefined: it sets none. */
  readonly pipePattern: string | undefined
  readonly signal: AbortSignal
  /**
   * The receiver has ended, or does not answer: it was killed then. Called at once. `waiting`: crashed
   * processes that it had accepted, and of which it leaves nothing on the disk.
   */
  readonly onDown: (why: string, waiting: readonly number[]) => void
  readonly onState: (state: ReceiverState) => void
  /** A receiver answers for the first time, `onDown` follows it. */
  readonly onUp: () => void
}

/**
 * The connection to this node's receiver, made again whenever it ends. While it is open, agent and
 * receiver watch each other: its end is noticed at once, however the other one ended.
 */
export class ReceiverLink {
  /** What the receiver answered last; undefined while there is none. */
  state: ReceiverState | undefined
  readonly #options: ReceiverLinkOptions

  constructor(options: ReceiverLinkOptions) {
    this.#options = options
  }

  /** Until the signal is aborted. */
  async run(): Promise<void> {
    const { signal, hostDir } = this.#options
    while (!signal.aborted) {
      const socket = createConnection(nodeFiles(hostDir).receiverLink)
      await this.#talk(socket)
      await sleep(RETRY_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** Resolves when the connection has ended. */
  async #talk(socket: Socket): Promise<void> {
    const { pipePattern, signal, onDown, onState, onUp } = this.#options
    const ended = Promise.withResolvers<void>()
    let text = ''
    let heardMs = performance.now()
    let why = 'it has ended'
    const waiting = new Set<number>()
    const send = (message: object): boolean => socket.write(`${JSON.stringify(message)}\n`)
    const ping = setInterval(() => {
      if (performance.now() - heardMs < SILENCE_MS) {
        send({ type: 'ping' })
        return
      }
      why = `it did not answer for ${SILENCE_MS / 1000} s and was killed`
      if (this.state !== undefined) kill(this.state.pid)
      socket.destroy()
    }, PING_MS)
    ping.unref()
    const abort = (): void => void socket.destroy()
    signal.addEventListener('abort', abort)
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.on('connect', () => send({ type: 'hello', pipePattern }))
    socket.on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n')
      text = lines.pop() ?? ''
      if (text.length > MAX_LINE) socket.destroy()
      for (const line of lines) {
        const message = parseMessage(line)
        if (message === undefined) continue
        heardMs = performance.now()
        if ('waits' in message) waiting.add(message.waits)
        else if ('waitsNoLonger' in message) waiting.delete(message.waitsNoLonger)
        else {
          const isFirst = this.state === undefined
          this.state = message
          onState(message)
          if (isFirst) onUp()
        }
      }
    })
    socket.on('close', () => {
      clearInterval(ping)
      signal.removeEventListener('abort', abort)
      const wasUp = this.state !== undefined
      this.state = undefined
      // this agent ends, not the receiver
      if (wasUp && !signal.aborted) onDown(why, [...waiting])
      ended.resolve()
    })
    return ended.promise
  }
}

function parseMessage(line: string): v.InferOutput<typeof MESSAGE> | undefined {
  try {
    const message = v.safeParse(MESSAGE, JSON.parse(line))
    return message.success ? message.output : undefined
  } catch {
    return undefined
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended, or is in another pid namespace: its own watchdog ends it
  }
}
