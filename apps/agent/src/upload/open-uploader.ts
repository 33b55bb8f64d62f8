import {
  UploadQueue,
  openDestination,
  type Destination,
  type QueueEvent,
  type QueueOptions,
} from '@core-dump-handler/upload'
import { messageOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { logQueueEvent } from './log-queue-event.ts'

/** Where bundles go, and the queue that uploads them. */
export interface Uploader {
  readonly destination: Destination
  readonly queue: UploadQueue
}

export interface UploaderListeners {
  readonly onEvent?: (event: QueueEvent) => void
  readonly defer?: QueueOptions['defer']
  /** Called when the destination of the settings is unusable. */
  readonly onUnusable?: (reason: string) => void
}

/** `undefined` where the settings name no usable destination: that is logged, and bundles stay on the node. */
export function openUploader(
  { destination: where, coreDir }: AgentSettings,
  log: Log,
  { onEvent, defer, onUnusable }: UploaderListeners = {},
): Uploader | undefined {
  if (where === undefined) return undefined
  try {
    const destination = openDestination(where.url, { s3: where.s3 })
    const queue = new UploadQueue(coreDir, destination, {
      onEvent: (event) => {
        logQueueEvent(log, event)
        onEvent?.(event)
      },
      ...(defer && { defer }),
    })
    return { destination, queue }
  } catch (err) {
    log.error({ err }, 'the destination cannot be used; bundles stay on the node')
    onUnusable?.(messageOf(err))
    return undefined
  }
}
