import { redactor, visible } from '../log/redact.ts'
import type { Log } from '../log/open-log.ts'
import type { Check } from '../monitoring/readiness.ts'
import type { ApiServer } from './api-server.ts'
import { createEvent, MAX_MESSAGE, seconds } from './create-event.ts'

export interface OwnPodEventsOptions {
  readonly server: ApiServer
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly secrets: readonly string[]
  readonly log: Log
}

/** Reports on the agent's own pod that its destination begins to fail, or works again. */
export class OwnPodEvents {
  readonly #options: OwnPodEventsOptions
  readonly #redact: (text: string) => string
  #chain: Promise<void> = Promise.resolve()

  constructor(options: OwnPodEventsOptions) {
    this.#options = options
    this.#redact = redactor(options.secrets)
  }

  note({ ok, detail }: Check): void {
    const { server, env, log } = this.#options
    const { POD_NAMESPACE: namespace, POD_NAME: pod, POD_UID: uid, NODE_NAME: node } = env
    if (!namespace || !pod) return
    const time = seconds(new Date().toISOString())
    const message = ok
      ? 'Bundles are uploaded again'
      : `Bundles wait on node ${node ?? 'of this pod'}: ${this.#redact(detail)}`
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: `${pod}.`, namespace },
      type: ok ? 'Normal' : 'Warning',
      reason: ok ? 'DestinationReachable' : 'DestinationFailed',
      message: visible(message).slice(0, MAX_MESSAGE).toWellFormed(),
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name: pod, namespace, ...(uid && { uid }) },
      source: { component: 'core-dump-handler', host: node },
      reportingComponent: 'core-dump-handler',
      reportingInstance: node ?? '',
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    }
    this.#chain = this.#chain.then(async () => createEvent(server, namespace, event, log))
  }
}
