import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

/** A socket in front of a runtime's, which can delay composers before a lookup. */
export class PausableRuntime {
  readonly socket: string
  readonly #server: Server
  #closed = Promise.withResolvers<void>()
  #asked = Promise.withResolvers<void>()

  constructor(socket: string, runtime: string) {
    this.socket = socket
    this.#closed.resolve()
    this.#server = createServer({ pauseOnConnect: true }, (client) => {
      client.on('error', () => {})
      this.#asked.resolve()
      void this.#closed.promise.then(() => {
        const upstream = connect(runtime).on('error', () => {})
        // a killed runtime or composer resets the connection
        upstream.on('close', () => client.destroySoon())
        client.on('close', () => upstream.destroy())
        if (client.destroyed) upstream.destroy()
        client.pipe(upstream).pipe(client)
      })
    })
  }

  async listen(): Promise<this> {
    this.#server.listen(this.socket)
    await once(this.#server, 'listening')
    return this
  }

  /** Accept no connection; returns a function that accepts them again, and a promise of the first attempt. */
  shut(): { readonly asked: Promise<void>; readonly open: () => void } {
    this.#closed = Promise.withResolvers()
    this.#asked = Promise.withResolvers()
    return { asked: this.#asked.promise, open: this.#closed.resolve }
  }

  close(): void {
    this.#closed.resolve()
    this.#server.close()
  }
}
