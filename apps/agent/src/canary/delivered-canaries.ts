import { CANARY } from './let-crash.ts'
import type { Delivery } from '../monitoring/manifest-cache.ts'

const MAX_REMEMBERED = 100

/** Where the bundles of canaries were stored; bundles of other crashes are not listed. */
export class DeliveredCanaries {
  readonly #urls = new Map<string, string>()

  note({ manifest, stored }: Delivery): void {
    const { comm } = manifest.crash
    if (comm === undefined || !CANARY.test(comm)) return
    this.#urls.set(comm, stored.url)
    const [oldest] = this.#urls.keys()
    if (this.#urls.size > MAX_REMEMBERED && oldest !== undefined) this.#urls.delete(oldest)
  }

  /** Where the bundle of this canary is; `undefined` while it is not confirmed. */
  find(comm: string): string | undefined {
    return this.#urls.get(comm)
  }
}
