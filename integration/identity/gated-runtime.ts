import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

/** A socket in front of a runtime's, at which composers can be made to wait before they ask. */
export class GatedRuntime {
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
        // a runtime that is killed says no goodbye, nor does a composer
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

  /** Let nobody through any more; returns what opens it again, and when somebody asks. */
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
