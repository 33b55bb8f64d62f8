import { existsSync } from 'node:fs'
import { type BundleManifest, readManifest } from '@core-dump-handler/bundle'
import type { QueueEvent, Stored, UploadError } from '@core-dump-handler/upload'
import type { CrashCounter } from './crash-counter.ts'
import type { Metrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'

/** A bundle that the store has confirmed. */
export interface Delivery {
  readonly manifest: BundleManifest
  readonly stored: Stored
}

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

const MIN_SIZE_TO_CLEAN = 1000

/** Manifests of the bundles that are being uploaded. */
export class ManifestCache {
  /** Of bundles that wait for another attempt only the name: there may be tens of thousands. */
  readonly #manifests = new Map<string, Promise<BundleManifest | undefined> | undefined>()
  #cleanAtSize = MIN_SIZE_TO_CLEAN

  /** How many bundles are known. */
  get size(): number {
    return this.#manifests.size
  }

  /** Call it while the file exists: the upload of a small one ends, with its deletion, at once. */
  async add(file: string): Promise<BundleManifest | undefined> {
    const manifest = this.#manifests.get(file) ?? readManifest(file)
    this.#manifests.set(file, manifest)
    this.#removeDeleted()
    return manifest
  }

  /** Frees the memory of the manifest while its bundle waits for another attempt. */
  forget(file: string): void {
    if (this.#manifests.has(file)) this.#manifests.set(file, undefined)
  }

  /** Removes the bundle; resolves with its manifest. */
  async take(file: string): Promise<BundleManifest | undefined> {
    const manifest = this.#manifests.get(file)
    this.#manifests.delete(file)
    return manifest
  }

  /** Bundles that another program deletes are never taken. */
  #removeDeleted(): void {
    if (this.#manifests.size < this.#cleanAtSize) return
    for (const file of this.#manifests.keys()) if (!existsSync(file)) this.#manifests.delete(file)
    this.#cleanAtSize = Math.max(MIN_SIZE_TO_CLEAN, 2 * this.#manifests.size)
  }
}
