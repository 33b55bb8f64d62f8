import type { Stored } from '@core-dump-handler/upload'
import { readManifestOf, type Manifest } from './read-manifest.ts'

/** A bundle that the store has confirmed. */
export interface Delivery {
  readonly manifest: Manifest
  readonly stored: Stored
}

/** What is in the bundles under way: each is read once, when it is first taken up. */
export class BundleBook {
  readonly #manifests = new Map<string, Promise<Manifest | undefined>>()
  readonly #onFirstSeen: (manifest: Manifest | undefined) => void

  constructor(onFirstSeen: (manifest: Manifest | undefined) => void) {
    this.#onFirstSeen = onFirstSeen
  }

  /** Call it while the file is there: the upload of a small one ends, with its deletion, at once. */
  takeUp(file: string): void {
    if (this.#manifests.has(file)) return
    const manifest = readManifestOf(file)
    this.#manifests.set(file, manifest)
    void manifest.then(this.#onFirstSeen)
  }

  /** The manifest of a file that is done with. */
  async close(file: string): Promise<Manifest | undefined> {
    const manifest = this.#manifests.get(file)
    this.#manifests.delete(file)
    return manifest
  }
}
