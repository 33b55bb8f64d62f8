import { closeSync } from 'node:fs'
import type { Log } from '../log/open-log.ts'

type Sockets = typeof import('@core-dump-handler/coredump-socket')

/** The kubelet starts a receiver that was killed within 1 to 2 s; no process is held for longer than this. */
const HOLD_MS = 10_000

export interface ListeningSocketOptions {
  readonly hostDir: string
  readonly log: Log
  /** Crashed processes that waited in the queue and that no receiver takes; they are released. */
  readonly onLost: (pids: readonly number[]) => void
}

/**
 * The socket on which the receiver listens, open in this process too, so that the crashes in its queue
 * outlive it. The next receiver takes them; without one they are released after `HOLD_MS`.
 */
export class ListeningSocket {
  readonly #options: ListeningSocketOptions
  /** Loads koffi: only where there is a receiver. */
  #sockets: Sockets | undefined
  #fd: number | undefined
  #deadline: NodeJS.Timeout | undefined
  #isServed = false
  #isClosed = false

  constructor(options: ListeningSocketOptions) {
    this.#options = options
  }

  /** A receiver runs: it is given the queue of the one before, and its own socket is opened. */
  async open(): Promise<void> {
    const { hostDir, log } = this.#options
    this.#isServed = true
    try {
      this.#sockets ??= await import('@core-dump-handler/coredump-socket')
      const listening = await this.#sockets.exchangeSockets(hostDir, () => this.#fd)
      // the receiver has emptied it
      this.#close()
      this.#fd = listening
      log.info('has the socket of the receiver open too: crashes in its queue outlive it')
      if (this.#isClosed) this.#close()
      else if (!this.#isServed) this.abandon()
    } catch (err) {
      log.warn(
        { err },
        'cannot open the socket of the receiver: crashes in its queue are lost when it is killed',
      )
    }
  }

  /** The receiver has ended: its queue waits for the next one. */
  abandon(): void {
    this.#isServed = false
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.#release(), HOLD_MS)
  }

  /** This agent ends. The queue stays with a receiver that runs; without one it is released. */
  close(): void {
    this.#isClosed = true
    if (this.#isServed) this.#close()
    else this.#release()
  }

  /** Never waits: a socket of the receiver's does not block. */
  #release(): void {
    const pids = this.#fd === undefined ? [] : (this.#sockets?.releaseQueue(this.#fd) ?? [])
    this.#close()
    if (pids.length > 0) this.#options.onLost(pids)
  }

  #close(): void {
    clearTimeout(this.#deadline)
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}
