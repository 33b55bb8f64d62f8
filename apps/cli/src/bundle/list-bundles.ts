import pMap from 'p-map'
import { CliError } from '../error.ts'
import type { Store, StoredObject } from '../store/store.ts'
import type { BundleSummary } from './bundle-summary.ts'
import { openBundle } from './open-bundle.ts'

/** Requests at once; each is small, and most of its time is the way to the store. */
const CONCURRENCY = 32
/** Clocks of nodes and store may differ by so much. */
const CLOCK_TOLERANCE_MS = 3_600_000

export interface BundleFilter {
  /** Crashes at or after this moment. */
  readonly since?: Date
  readonly namespace?: string
  /** Beginning of a fingerprint's id or family. */
  readonly fingerprint?: string
  /** Only those whose owner is not proven. */
  readonly unverified?: boolean
}

/** An object named like a bundle that cannot be read as one. */
export interface UnreadableBundle {
  readonly key: string
  readonly reason: string
}

export interface BundleList {
  /** Oldest crash first. */
  readonly bundles: readonly BundleSummary[]
  readonly unreadable: readonly UnreadableBundle[]
}

/**
 * The bundles of a store that match, by ranged requests of their ends; no zip is downloaded.
 *
 * @throws CliError `STORE` when the store does not answer
 */
export async function listBundles(store: Store, filter: BundleFilter = {}): Promise<BundleList> {
  const unreadable: UnreadableBundle[] = []
  const bundles = await pMap(
    bundleObjects(store, filter.since),
    async (object) => {
      try {
        return (await openBundle(store, object)).summary
      } catch (error) {
        if (!(error instanceof CliError) || error.code !== 'DAMAGED') throw error
        unreadable.push({ key: object.key, reason: error.message })
        return undefined
      }
    },
    { concurrency: CONCURRENCY },
  )
  return {
    bundles: bundles
      .filter((summary) => summary !== undefined)
      .filter((summary) => matches(summary, filter))
      .toSorted(byTime),
    unreadable,
  }
}

/** A bundle is stored after its crash: what was stored before `since` crashed before. */
export async function* bundleObjects(store: Store, since?: Date): AsyncGenerator<StoredObject> {
  const oldest = since === undefined ? -Infinity : since.getTime() - CLOCK_TOLERANCE_MS
  for await (const object of store.list()) {
    const file = object.key.slice(object.key.lastIndexOf('/') + 1)
    if (!file.endsWith('.zip') || file.startsWith('.')) continue
    if (object.modified.getTime() >= oldest) yield object
  }
}

function matches(summary: BundleSummary, filter: BundleFilter): boolean {
  const { since, namespace, fingerprint, unverified } = filter
  const keys = [summary.fingerprint?.id, summary.fingerprint?.family]
  return (
    (since === undefined || Date.parse(summary.time) >= since.getTime()) &&
    (namespace === undefined || summary.namespace === namespace) &&
    (fingerprint === undefined || keys.some((key) => key?.startsWith(fingerprint) === true)) &&
    (unverified !== true || summary.identity === 'unverified')
  )
}

export function byTime(a: BundleSummary, b: BundleSummary): number {
  return Date.parse(a.time) - Date.parse(b.time) || (a.key < b.key ? -1 : 1)
}
