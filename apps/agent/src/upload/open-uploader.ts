import { basename } from 'node:path'
import {
  type Destination,
  openDestination,
  type QueueEvent,
  type QueueOptions,
  UploadQueue,
} from '@core-dump-handler/upload'
import { messageOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'

/** Where bundles go, and the queue that uploads them. */
export interface Uploader {
  readonly destination: Destination
  readonly queue: UploadQueue
}

interface UploaderListeners {
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

/** One log line per event of the queue; file names are fields, never text. */
export function logQueueEvent(
  log: Pick<Log, 'debug' | 'info' | 'warn' | 'error'>,
  event: QueueEvent,
): void {
  switch (event.type) {
    case 'started':
      return log.debug({ file: basename(event.file), bytes: event.bytes }, 'upload started')
    case 'stored': {
      const { url, bytes, outcome, takenKey, parts, keptParts } = event.stored
      const facts = {
        file: basename(event.file),
        url,
        bytes,
        durationMs: Math.round(event.durationMs),
      }
      const resumed = parts > 0 ? { parts, keptParts } : {}
      const text =
        outcome === 'existing'
          ? 'the store has the bundle already; local bundle deleted'
          : 'stored and verified, local bundle deleted'
      const more = { ...facts, ...resumed, ...(takenKey !== undefined && { takenKey }) }
      if (event.deleted) return log.info(more, text)
      return log.warn(
        more,
        'stored and verified; the local file is kept, because it has changed since',
      )
    }
    case 'failed': {
      const { file, error, attempt, retryInMs, ofDestination } = event
      const facts = { file: basename(file), attempt, retryInMs, err: error }
      // the line of the pause is about all bundles
      return ofDestination
        ? log.debug(facts, 'upload failed like the others, the bundle is kept')
        : log.error(facts, 'upload failed, the bundle is kept')
    }
    case 'skipped':
      return log.info({ file: basename(event.file), reason: event.reason }, 'bundle skipped')
    case 'paused':
      return log.error(
        { retryInMs: event.retryInMs, err: event.error },
        'upload failed, as others would: bundles wait on the node',
      )
    case 'resumed':
      return log.info('uploads work again')
    case 'warning':
      return log.warn(
        { code: event.code, problem: event.message, err: event.cause },
        'problem of the upload queue',
      )
    case 'progress':
  }
}
