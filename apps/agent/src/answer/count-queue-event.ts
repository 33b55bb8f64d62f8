import type { QueueEvent } from '@core-dump-handler/upload'
import { BundleBook, type Delivery } from './bundle-book.ts'
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
        return readiness.destinationAnswered()
      }
      case 'skipped':
        return void book.close(event.file)
      case 'failed':
        book.putBack(event.file)
        metrics.uploadFailures.inc({ code: event.error.code })
        if (event.error.scope === 'destination') readiness.destinationFailed(event.error)
        return
      case 'progress':
        return readiness.destinationAnswered()
      default:
    }
  }
}
