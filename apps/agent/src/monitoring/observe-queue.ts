import type { QueueEvent, UploadError } from '@core-dump-handler/upload'
import { BundleBook, type Delivery } from './manifest-cache.ts'
import type { Metrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'

/** Turns what the queue tells into figures, readiness, and deliveries. */
export function queueCounter(
  metrics: Metrics,
  readiness: Readiness,
  onDelivery: (delivery: Delivery) => void,
): (event: QueueEvent) => void {
  const book = new BundleBook((manifest) => metrics.countBundle(manifest))
  return (event) => {
    switch (event.type) {
      case 'started':
        return book.takeUp(event.file)
      case 'stored': {
        const { stored } = event
        metrics.uploads.inc()
        metrics.uploadedBytes.inc(stored.bytes)
        void book.close(event.file).then((manifest) => manifest && onDelivery({ manifest, stored }))
        return readiness.uploadStored()
      }
      case 'skipped':
        return void book.close(event.file)
      case 'failed':
        book.putBack(event.file)
        metrics.uploadFailures.inc({ code: event.error.code })
        if (event.error.scope === 'destination') readiness.destinationFailed(event.error)
        if (isRefusal(event.error)) readiness.uploadRefused(event.error)
        return
      case 'progress':
        return readiness.destinationAnswered()
      default:
    }
  }
}

/** A right that is missing, or a setting that this store does not take: the next bundle fares no better. */
function isRefusal({ code }: UploadError): boolean {
  return code === 'DENIED' || code === 'REFUSED'
}
