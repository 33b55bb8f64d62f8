import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Bundle } from './bundle.ts'
import { until } from '../until.ts'

/** Where bundles arrive: a bucket, or a directory. */
export interface BundleSource {
  keys(): Promise<string[]>
  fetch(key: string, path: string): Promise<void>
}

/** Fetches every object once and hands out those that belong to the test: others crash, too. */
export class BundleCollector {
  readonly #source: BundleSource
  readonly #directory: string
  readonly #bundles = new Map<string, Bundle>()

  constructor(source: BundleSource, directory: string) {
    this.#source = source
    this.#directory = directory
    mkdirSync(directory, { recursive: true })
  }

  /** Wait until `count` bundles have come that `match`. */
  async collect(
    match: (bundle: Bundle) => boolean,
    count = 1,
    timeoutMs = 60_000,
  ): Promise<Bundle[]> {
    return until(
      `${count} bundle(s) in the store`,
      async () => {
        await this.#fetchNew()
        const found = [...this.#bundles.values()].filter(match)
        return found.length >= count && found
      },
      timeoutMs,
    )
  }

  async one(match: (bundle: Bundle) => boolean, timeoutMs?: number): Promise<Bundle> {
    const [bundle] = await this.collect(match, 1, timeoutMs)
    return bundle as Bundle
  }

  /** Have another reader check every bundle that has come. */
  async test(): Promise<void> {
    for (const bundle of this.#bundles.values()) await bundle.test()
  }

  async #fetchNew(): Promise<void> {
    for (const key of await this.#source.keys()) {
      if (this.#bundles.has(key)) continue
      const path = join(this.#directory, `${this.#bundles.size}.zip`)
      await this.#source.fetch(key, path)
      this.#bundles.set(key, await Bundle.open(path))
    }
  }
}
