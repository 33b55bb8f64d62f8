import {
  UploadQueue,
  openDestination,
  type Destination,
  type QueueEvent,
  type QueueOptions,
} from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { logQueueEvent } from './log-queue-event.ts'

/** Where bundles go, and the queue that takes them there. */
export interface Carrier {
  readonly destination: Destination
  readonly queue: UploadQueue
}

export interface CarrierListeners {
  readonly onEvent?: (event: QueueEvent) => void
  readonly holdBack?: QueueOptions['holdBack']
  /** The settings name a destination that cannot be one. */
  readonly onUnusable?: (error: Error) => void
}

/** `undefined` where the settings name no usable destination: said in the log, and bundles stay on the node. */
export function openCarrier(
  { destination: where, coreDir }: AgentSettings,
  log: Log,
  { onEvent, holdBack, onUnusable }: CarrierListeners = {},
): Carrier | undefined {
  if (where === undefined) return undefined
  try {
    const destination = openDestination(where.url, { s3: where.s3 })
    const queue = new UploadQueue(coreDir, destination, {
      onEvent: (event) => {
        logQueueEvent(log, event)
        onEvent?.(event)
      },
      ...(holdBack && { holdBack }),
    })
    return { destination, queue }
  } catch (err) {
    log.error({ err }, 'the destination cannot be used; bundles stay on the node')
    onUnusable?.(err instanceof Error ? err : new Error(String(err)))
    return undefined
  }
}
