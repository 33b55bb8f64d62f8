import type { BundleManifest } from '@core-dump-handler/bundle'

/** What a list shows of a bundle; absent: not known. Texts come from crashed programs. */
export interface BundleSummary {
  /** The uuid of the crash; of a bundle without one its name. */
  readonly id: string
  /** Of the object in the store. */
  readonly key: string
  /** Of the object. */
  readonly bytes: number
  /** RFC 3339, UTC. */
  readonly time: string
  readonly node?: string
  readonly identity: BundleManifest['identity']['status']
  readonly namespace?: string
  readonly pod?: string
  readonly container?: string
  readonly image?: string
  /** File name of the executable, else the name of the crashing thread. */
  readonly program?: string
  readonly signal?: number
  readonly signalName?: string
  readonly topFrame?: string
  readonly fingerprint?: { readonly id: string; readonly family?: string }
  /** Received and kept of the core. */
  readonly coreBytes?: number
  /** Absent: the bundle has no manifest. */
  readonly complete?: boolean
  readonly reason?: string
}
