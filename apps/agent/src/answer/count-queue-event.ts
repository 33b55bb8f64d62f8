import { closeSync, openSync } from 'node:fs'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { Metrics } from './metrics.ts'
import { readManifest } from './read-manifest.ts'
import type { Readiness } from './readiness.ts'

/** Turns what the queue tells into figures; each bundle is read once, when it is first taken up. */
export function queueCounter(metrics: Metrics, readiness: Readiness): (event: QueueEvent) => void {
  const seen = new Set<string>()
  return (event) => {
    switch (event.type) {
      case 'started':
        if (!seen.has(event.file)) void countBundle(event.file, metrics)
        seen.add(event.file)
        return
      case 'stored':
        seen.delete(event.file)
        metrics.uploads.inc()
        metrics.uploadedBytes.inc(event.stored.bytes)
        return readiness.destinationAnswered()
      case 'skipped':
        seen.delete(event.file)
        return
      case 'failed':
        metrics.uploadFailures.inc({ code: event.error.code })
        if (event.error.scope === 'destination') readiness.destinationFailed(event.error)
        return
      case 'progress':
        return readiness.destinationAnswered()
      default:
    }
  }
}

async function countBundle(file: string, metrics: Metrics): Promise<void> {
  let fd: number
  try {
    fd = openSync(file, 'r') // at once: the upload of a small bundle ends with its deletion
  } catch {
    return metrics.countBundle(undefined)
  }
  try {
    metrics.countBundle(await readManifest(fd))
  } finally {
    closeSync(fd)
  }
}
