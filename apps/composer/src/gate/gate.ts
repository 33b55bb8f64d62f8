import { once } from 'node:events'
import { Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { messageOf } from '../log/message-of.ts'
import type { Task } from '../task.ts'
import { Admission } from './admission.ts'
import { now } from './clock.ts'
import { Door } from './door.ts'
import { Guest } from './guest.ts'
import { Keeper } from './keeper.ts'
import { FREE, type Pass } from './pass.ts'

// nobody waits for ever: then it goes on, whatever the others do
const MAX_WAIT_MS = 60_000
const BACKLOG = 16
// fewer would wait for each other's turns, not for a CPU: `npm run bench -- storm`
const MIN_DRAINS = 8
const MAX_TRIES = 100

/**
 * Many crashes at once: a few composers copy memory at a time, the others wait with next to nothing
 * loaded. A bound, not a lock: whatever is wrong with it, the composer goes on.
 */
export class Gate {
  readonly #task: Task
  #pass: Pass = FREE

  constructor(task: Task) {
    this.#task = task
  }

  /** Resolves when it is this composer's turn to drain. */
  async toDrain(): Promise<void> {
    const { home, settings, stop } = this.#task
    if (home === undefined) return
    const door = new Door(home)
    const deadline = this.#deadline()
    try {
      do this.#pass = await enter(door, settings.concurrentDrains)
      while (!(await this.#turn(deadline)) && !stop.signal.aborted)
    } catch (error) {
      this.#task.problems.add('GATE_FAILED', `Went on without a turn: ${messageOf(error)}`)
    }
  }

  /** Resolves when it may do the rest; its process is released. */
  async toTell(): Promise<void> {
    this.#pass.drained()
    await this.#turn(this.#deadline())
  }

  /** No other composer is about. In a storm none yields: the sooner each ends, the less memory they take. */
  get isAlone(): boolean {
    return this.#pass.isAlone
  }

  /** Resolves when nobody depends on this composer any more. */
  leave(): Promise<void> {
    return this.#pass.leave(this.#task.stop.signal)
  }

  #deadline(): number {
    return now() + Math.min(MAX_WAIT_MS, this.#task.settings.timeoutMs / 4)
  }

  /** False: the gate has gone, and another must be asked. */
  async #turn(deadline: number): Promise<boolean> {
    const { stop, problems } = this.#task
    const late = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => {
      problems.add('GATE_TIMEOUT', 'Too many crashes at once: went on without a turn')
      late.resolve(true)
    }, deadline - now())
    const stopped = stop.stopped.then(() => true)
    return Promise.race([this.#pass.turn(), late.promise, stopped]).finally(() =>
      clearTimeout(timer),
    )
  }
}

/** As a guest where somebody keeps the door, else as its keeper; others try the same at this moment. */
async function enter(door: Door, concurrentDrains: number): Promise<Pass> {
  const drains = concurrentDrains || Math.max(MIN_DRAINS, availableParallelism())
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const found = door.look()
    const socket = found === 'door' ? await connect(door) : undefined
    if (socket instanceof Socket) return new Guest(socket)
    const keeper = new Keeper(new Admission({ drains, stories: drains, backlog: BACKLOG }))
    const closeDoor = door.keep(keeper.onGuest, found === 'other' || socket === 'ECONNREFUSED')
    if (closeDoor === undefined) continue
    keeper.begin(closeDoor)
    return keeper
  }
  throw new Error(`the door was taken ${MAX_TRIES} times, and nobody was behind it`)
}

/** A connection, or why there is nobody. */
async function connect(door: Door): Promise<Socket | 'ECONNREFUSED' | 'ENOENT'> {
  const socket = door.knock()
  try {
    await once(socket, 'connect')
    return socket
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return code
    throw error
  }
}
