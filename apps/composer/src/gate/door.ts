import { linkSync, lstatSync, renameSync, rmSync } from 'node:fs'
import { type Server, type Socket, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { makeDirectory } from '../make-directory.ts'

/**
 * `<HOST_DIR>/gate/door`: a socket on which one composer lets the others in. It is put there listening
 * already, so that who is refused knows that its owner is dead; the kernel closes it with its process.
 */
export class Door {
  readonly #directory: string
  readonly #path: string

  constructor(home: string) {
    this.#directory = join(home, 'gate')
    this.#path = join(this.#directory, 'door')
  }

  /** `door`: a keeper may be behind it. `other`: a link, a file: nobody is. */
  look(): 'door' | 'other' | 'nothing' {
    const there = lstatSync(this.#path, { throwIfNoEntry: false })
    if (there === undefined) return 'nothing'
    return there.isSocket() ? 'door' : 'other'
  }

  /** A connection to its keeper, as `connect` and `close` will tell. */
  knock(): Socket {
    return createConnection(this.#path)
  }

  /** Puts an own door there, in the place of what is nobody's if `replace`; undefined: somebody was quicker. */
  keep(onGuest: (guest: Socket) => void, replace: boolean): (() => void) | undefined {
    makeDirectory(this.#directory)
    const own = join(this.#directory, `.${process.pid}`)
    rmSync(own, { force: true })
    const server = createServer(onGuest)
    // what goes wrong is seen below: there is no socket then
    server.on('error', () => {})
    server.listen(own)
    try {
      const { ino } = lstatSync(own)
      if (replace) renameSync(own, this.#path)
      else linkSync(own, this.#path)
      rmSync(own, { force: true })
      return () => this.#close(server, ino)
    } catch (error) {
      server.close()
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined
      throw error
    }
  }

  /** Takes no more guests; those that are in stay. */
  #close(server: Server, ino: number): void {
    server.close()
    if (lstatSync(this.#path, { throwIfNoEntry: false })?.ino === ino) {
      rmSync(this.#path, { force: true })
    }
  }
}
