import type { Socket } from 'node:net'
import type { Pass } from './pass.ts'

/** A composer that asks the keeper: a byte from there is a turn, a byte to there says that it has drained. */
export class Guest implements Pass {
  readonly isAlone: boolean = false
  readonly #socket: Socket
  #turns = 0
  #gone = false
  #waiting: ((admitted: boolean) => void) | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#turns += bytes.length
      this.#tell()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#gone = true
      this.#tell()
    })
  }

  turn(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#tell()
    })
  }

  drained(): void {
    if (!this.#gone) this.#socket.write('d')
  }

  leave(): Promise<void> {
    this.#socket.destroy()
    return Promise.resolve()
  }

  #tell(): void {
    if (this.#waiting === undefined || (this.#turns === 0 && !this.#gone)) return
    const admitted = this.#turns > 0
    if (admitted) this.#turns--
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting(admitted)
  }
}
