import type { BundleManifest } from '@core-dump-handler/bundle'
import { visible } from '../log/redact.ts'
import type { Log } from '../log/open-log.ts'
import type { Delivery } from '../monitoring/manifest-cache.ts'
import type { ApiServer } from './api-server.ts'
import { createEvent, MAX_MESSAGE, seconds } from './create-event.ts'

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
export interface PodEvent {
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
