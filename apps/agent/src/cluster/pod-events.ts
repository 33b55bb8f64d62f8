import type { Delivery } from '../answer/bundle-book.ts'
import type { Log } from '../log/open-log.ts'
import { callApiServer, type ApiServer } from './api-server.ts'
import { podEvent } from './pod-event.ts'

/** In a storm the bundles matter, not the Events: what more are waiting is left out. */
const MAX_WAITING = 100

/** Creates an Event on the pod of each delivery, one at a time; what fails is logged and costs only itself. */
export class PodEvents {
  readonly #server: ApiServer
  readonly #nodeName: string | undefined
  readonly #log: Log
  #waiting = 0
  #chain: Promise<void> = Promise.resolve()

  constructor(server: ApiServer, nodeName: string | undefined, log: Log) {
    this.#server = server
    this.#nodeName = nodeName
    this.#log = log
  }

  note(delivery: Delivery): void {
    const made = podEvent(delivery, this.#nodeName)
    if (made === undefined || this.#waiting >= MAX_WAITING) return
    this.#waiting++
    this.#chain = this.#chain
      .then(() => this.#create(made.namespace, made.event))
      .finally(() => this.#waiting--)
  }

  async #create(namespace: string, event: object): Promise<void> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
    try {
      const call = { method: 'POST', path, body: event } as const
      const { status } = await callApiServer(this.#server, call)
      // 409: created already, before a restart
      if (status < 300 || status === 409) return
      this.#log.warn({ namespace, status }, 'the API server did not take the Event of a crash')
    } catch (err) {
      this.#log.warn({ namespace, err }, 'cannot create the Event of a crash')
    }
  }
}
