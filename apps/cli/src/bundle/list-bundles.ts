import pMap from 'p-map'
import { CliError } from '../error.ts'
import type { Store, StoredObject } from '../store/store.ts'
import { openBundle, type BundleSummary, type BundleFile } from './open-bundle.ts'
import { escapeName, show } from '../output/output.ts'
import { baseName } from './archive.ts'

/** Requests at once; each is small, and most of its time is the way to the store. */
const CONCURRENCY = 32
/** Clocks of nodes and store may differ by so much. */
const CLOCK_TOLERANCE_MS = 3_600_000
/** Uploads do not arrive in the order of crashes: so many are looked at for the latest one. */
const LATEST_CANDIDATES = 32
const MAX_NAMED = 5

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

/**
 * One bundle by `id`: its uuid or a beginning of it, the name of its object or a beginning of it, or `latest`.
 *
 * @throws CliError `NOT_FOUND` when there is none or more than one, `STORE` when the store does not answer
 */
export async function findBundle(store: Store, id: string): Promise<BundleFile> {
  const objects: StoredObject[] = []
  for await (const object of bundleObjects(store)) objects.push(object)
  if (id === 'latest') return latest(store, objects)

  // the default names begin with the uuid: mostly one request finds the bundle
  const named = objects.filter(({ key }) => key === id || baseName(key).startsWith(id))
  const found =
    named.length > 0
      ? await openAll(store, named.slice(0, MAX_NAMED))
      : (await openAll(store, objects)).filter(({ summary }) => summary.id.startsWith(id))
  const exact = found.find(({ summary }) => summary.id === id || summary.key === id)
  const [first] = found
  if (exact !== undefined) return exact
  if (first !== undefined && found.length === 1) return first
  if (first === undefined) throw notFound(`No bundle ${show(id)} in ${show(store.url)}`)
  const ids = found.slice(0, MAX_NAMED).map(({ summary }) => escapeName(summary.id))
  throw notFound(
    `${show(id)} is the beginning of ${Math.max(found.length, named.length)} bundles, such as ${ids.join(', ')}`,
  )
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

function byTime(a: BundleSummary, b: BundleSummary): number {
  return Date.parse(a.time) - Date.parse(b.time) || (a.key < b.key ? -1 : 1)
}

async function latest(store: Store, objects: readonly StoredObject[]): Promise<BundleFile> {
  const newest = objects
    .toSorted((a, b) => b.modified.getTime() - a.modified.getTime())
    .slice(0, LATEST_CANDIDATES)
  const bundles = await openAll(store, newest)
  const last = bundles
    .toSorted((a, b) => Date.parse(a.summary.time) - Date.parse(b.summary.time))
    .at(-1)
  if (last === undefined) throw notFound(`No bundle in ${show(store.url)}`)
  return last
}

/** Those that can be read as bundles; of a single one the error says why not. */
async function openAll(store: Store, objects: readonly StoredObject[]): Promise<BundleFile[]> {
  const opened = await pMap(
    objects,
    async (object) => {
      try {
        return await openBundle(store, object)
      } catch (error) {
        const isDamaged = error instanceof CliError && error.code === 'DAMAGED'
        if (!isDamaged || objects.length === 1) throw error
        return undefined
      }
    },
    { concurrency: CONCURRENCY },
  )
  return opened.filter((bundle) => bundle !== undefined)
}

function notFound(message: string): CliError {
  return new CliError('NOT_FOUND', `${message}; \`cdh list\` shows what there is`)
}
