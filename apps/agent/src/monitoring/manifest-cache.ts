import { existsSync } from 'node:fs'
import type { Stored } from '@core-dump-handler/upload'
import { type BundleManifest, readManifest } from '@core-dump-handler/bundle'

/** A bundle that the store has confirmed. */
export interface Delivery {
  readonly manifest: BundleManifest
  readonly stored: Stored
}

const MIN_LOOK = 1000

/** What is in the bundles under way: each is told of once, when it is first taken up. */
export class BundleBook {
  /** Of those that wait for another try the name alone: tens of thousands may. */
  readonly #manifests = new Map<string, Promise<BundleManifest | undefined> | undefined>()
  readonly #onFirstSeen: (manifest: BundleManifest | undefined) => void
  #lookAt = MIN_LOOK

  constructor(onFirstSeen: (manifest: BundleManifest | undefined) => void) {
    this.#onFirstSeen = onFirstSeen
  }

  /** How many are known. */
  get size(): number {
    return this.#manifests.size
  }

  /** Call it while the file is there: the upload of a small one ends, with its deletion, at once. */
  takeUp(file: string): void {
    if (this.#manifests.get(file) !== undefined) return
    const isNew = !this.#manifests.has(file)
    const manifest = readManifest(file)
    this.#manifests.set(file, manifest)
    if (!isNew) return
    void manifest.then(this.#onFirstSeen)
    this.#forgetGone()
  }

  /** It waits for another try. */
  putBack(file: string): void {
    if (this.#manifests.has(file)) this.#manifests.set(file, undefined)
  }

  /** The manifest of a file that is done with. */
  async close(file: string): Promise<BundleManifest | undefined> {
    const manifest = this.#manifests.get(file)
    this.#manifests.delete(file)
    return manifest
  }

  /** Bundles that somebody else took away are never closed. */
  #forgetGone(): void {
    if (this.#manifests.size < this.#lookAt) return
    for (const file of this.#manifests.keys()) if (!existsSync(file)) this.#manifests.delete(file)
    this.#lookAt = Math.max(MIN_LOOK, 2 * this.#manifests.size)
  }
}
