import type { QueueEvent, UploadError } from '@core-dump-handler/upload'
import type { CrashCounter } from './crash-counter.ts'
import { type Delivery, ManifestCache } from './manifest-cache.ts'
import type { Metrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'

/** Turns the events of the queue into metrics, readiness, and deliveries. */
export function queueObserver(
  metrics: Metrics,
  readiness: Readiness,
  crashes: Pick<CrashCounter, 'add'>,
  onDelivery: (delivery: Delivery, file: string) => void,
): (event: QueueEvent) => void {
  const manifests = new ManifestCache()
  return (event) => {
    switch (event.type) {
      case 'started':
        return crashes.add(event.file, manifests.add(event.file))
      case 'stored': {
        const { stored } = event
        metrics.uploads.inc()
        metrics.uploadedBytes.inc(stored.bytes)
        void manifests
          .take(event.file)
          .then((manifest) => manifest && onDelivery({ manifest, stored }, event.file))
        return readiness.uploadStored()
      }
      case 'skipped':
        return void manifests.take(event.file)
      case 'failed':
        manifests.forget(event.file)
        metrics.uploadFailures.inc({ code: event.error.code })
        if (event.error.scope === 'destination') readiness.destinationFailed(event.error.message)
        if (isRefusal(event.error)) readiness.uploadRefused(event.file, event.error.message)
        return
      case 'progress':
        return readiness.destinationAnswered()
      default:
    }
  }
}

/** A missing permission, or a setting that this store refuses: the next bundle would fail, too. */
function isRefusal({ code }: UploadError): boolean {
  return code === 'DENIED' || code === 'REFUSED'
}
