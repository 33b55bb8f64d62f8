import type { Socket } from 'node:net'
import type { Admission, Visit } from './admission.ts'
import type { Pass } from './pass.ts'

const SETTLE_MS = 500
// in a flood that does not end, somebody else takes over after this time
const MAX_STAY_MS = 60_000

/** The composer that came first: it lets itself and the others in, and stays until they are through. */
export class Keeper implements Pass {
  readonly #admission: Admission
  #timer: NodeJS.Timeout | undefined
  #closeDoor: () => void = () => {}
  #visit: Visit | undefined
  #turn = Promise.withResolvers<boolean>()
  #onEmpty: () => void = () => {}

  constructor(admission: Admission) {
    this.#admission = admission
  }

  /** From now on it has a door, and is the first at it. */
  begin(closeDoor: () => void): void {
    this.#closeDoor = closeDoor
    this.#timer = setInterval(() => this.#admission.settle(), SETTLE_MS).unref()
    this.#visit = this.#admission.arrive(() => this.#turn.resolve(true))
  }

  readonly onGuest = (socket: Socket): void => {
    const visit = this.#admission.arrive(() => socket.write('g'))
    socket.on('data', () => this.#admission.drained(visit))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#admission.leave(visit)
      if (this.#admission.size === 0) this.#onEmpty()
    })
  }

  get isAlone(): boolean {
    return this.#admission.size <= 1
  }

  turn(): Promise<boolean> {
    return this.#turn.promise
  }

  drained(): void {
    this.#turn = Promise.withResolvers()
    if (this.#visit) this.#admission.drained(this.#visit)
  }

  async leave(signal: AbortSignal): Promise<void> {
    if (this.#visit) this.#admission.leave(this.#visit)
    const stay = setTimeout(this.#closeDoor, MAX_STAY_MS)
    if (this.#admission.size > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    clearTimeout(stay)
    clearInterval(this.#timer)
    this.#closeDoor()
  }
}
