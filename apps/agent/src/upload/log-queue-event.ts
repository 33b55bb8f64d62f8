import { basename } from 'node:path'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'

/** One log line per event of the queue; file names are fields, never text. */
export function logQueueEvent(log: Log, event: QueueEvent): void {
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
      const { file, error, attempt, retryInMs } = event
      return log.error(
        { file: basename(file), attempt, retryInMs, err: error },
        'upload failed, the bundle is kept',
      )
    }
    case 'skipped':
      return log.info({ file: basename(event.file), reason: event.reason }, 'bundle skipped')
    case 'paused':
      return log.error(
        { retryInMs: event.retryInMs, err: event.error },
        'uploads fail: bundles wait on the node',
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
