import type { BundleManifest } from '@core-dump-handler/bundle'
import type { Log } from '../log/open-log.ts'
import { redactor, visible } from '../log/redact.ts'
import type { Delivery } from '../monitoring/queue-observer.ts'
import type { Check } from '../monitoring/readiness.ts'
import { type ApiServer, callApiServer } from './api-server.ts'

/** Longest message of an Event, a limit of the API. */
const MAX_MESSAGE = 1024
/** In a storm the bundles matter, not the Events: more waiting Events are not created. */
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

  /** `timesSeen`: how often the fingerprint was seen on this node; 0: not known. */
  note(delivery: Delivery, timesSeen = 0): void {
    const made = podEvent(delivery, this.#nodeName, timesSeen)
    if (made === undefined || this.#waiting >= MAX_WAITING) return
    this.#waiting++
    this.#chain = this.#chain
      .then(async () => createEvent(this.#server, made.namespace, made.event, this.#log))
      .finally(() => this.#waiting--)
  }
}

const MAX_NAME = 256
/** Of the fingerprint: enough to tell the crashes of a cluster apart. */
const FINGERPRINT_DIGITS = 8

/** The fields of the Event that tests and callers read; the API server has the type of all. */
interface PodEvent {
  readonly message: string
}

/**
 * The Event on the crashed pod with the address of its bundle; `undefined` where the pod is not
 * proven: a guess must not appear on another pod. Its name makes a second attempt harmless.
 */
export function podEvent(
  { manifest, stored }: Delivery,
  nodeName: string | undefined,
  timesSeen = 0,
): { readonly namespace: string; readonly event: PodEvent } | undefined {
  const { identity, crash, core, uuid } = manifest
  const { status, pod, namespace, podUid, container } = identity
  if (status !== 'verified' || pod === undefined || namespace === undefined) return undefined

  const program = printable(crash.exe ?? crash.comm ?? 'A process')
  const what = core.bytes === 0 ? 'no core' : `${core.complete ? 'a' : 'an incomplete'} core`
  const signal = crash.signalName ? ` by ${printable(crash.signalName)}` : ''
  const message = `${program} crashed${signal}${cause(manifest, timesSeen)}: ${what} (${core.bytes} bytes) is in ${stored.url}`
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `core-dump-${uuid}`, namespace },
    type: 'Warning',
    reason: 'CoreDump',
    message: message.slice(0, MAX_MESSAGE).toWellFormed(),
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Pod',
      name: pod,
      namespace,
      uid: podUid,
      fieldPath: container && `spec.containers{${container}}`,
    },
    source: { component: 'core-dump-handler', host: nodeName },
    reportingComponent: 'core-dump-handler',
    reportingInstance: nodeName ?? '',
    firstTimestamp: seconds(crash.time),
    lastTimestamp: seconds(crash.time),
    count: 1,
  }
  return { namespace, event }
}

/** ` in <top frame> [<fingerprint>], seen <n> times on this node`, as far as they are known. */
function cause({ topFrame, fingerprint }: BundleManifest, timesSeen: number): string {
  const where = topFrame === undefined ? '' : ` in ${printable(topFrame)}`
  const key = fingerprint?.id.slice(0, FINGERPRINT_DIGITS)
  if (key === undefined) return where
  const often = timesSeen === 1 ? ', seen for the first time' : `, seen ${timesSeen} times`
  return `${where} [${printable(key)}]${timesSeen === 0 ? '' : `${often} on this node`}`
}

/** A process chooses its own name. */
const printable = (text: string): string => visible(text).slice(0, MAX_NAME)

interface OwnPodEventsOptions {
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

/** Creates an Event; what fails is logged and costs only this Event. */
async function createEvent(
  server: ApiServer,
  namespace: string,
  event: object,
  log: Log,
): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
  try {
    const { status } = await callApiServer(server, { method: 'POST', path, body: event })
    // 409: created already, before a restart
    if (status < 300 || status === 409) return
    log.warn({ namespace, status }, 'the API server refused an Event')
  } catch (err) {
    log.warn({ namespace, err }, 'cannot create an Event')
  }
}

/** `metav1.Time` has no fraction of a second. */
const seconds = (time: string): string => time.replace(/\.\d+/, '')
