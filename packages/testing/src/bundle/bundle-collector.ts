import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Bundle } from './bundle.ts'
import { until } from '../until.ts'

/** A bucket or directory of bundles. */
export interface BundleSource {
  keys(): Promise<string[]>
  fetch(key: string, path: string): Promise<void>
}

/** Fetches each object once and returns those of the test: other programs of the machine crash, too. */
export class BundleCollector {
  readonly #source: BundleSource
  readonly #directory: string
  readonly #bundles = new Map<string, Bundle>()

  constructor(source: BundleSource, directory: string) {
    this.#source = source
    this.#directory = directory
    mkdirSync(directory, { recursive: true })
  }

  /** Wait for `count` bundles that `match`. */
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
    if (!bundle) throw new Error('collect returned fewer bundles than asked for')
    return bundle
  }

  /** Check each fetched bundle with another reader. */
  async test(): Promise<void> {
    for (const bundle of this.#bundles.values()) await bundle.test()
  }

  async #fetchNew(): Promise<void> {
    for (const key of await this.#source.keys()) {
      if (this.#bundles.has(key) || !key.endsWith('.zip')) continue
      const path = join(this.#directory, `${this.#bundles.size}.zip`)
      await this.#source.fetch(key, path)
      this.#bundles.set(key, await Bundle.open(path))
    }
  }
}
