import pMap from 'p-map'
import { CliError } from '../error.ts'
import type { Store, StoredObject } from '../store/store.ts'
import { openBundle, type BundleSummary, type BundleFile } from './open-bundle.ts'
import { show } from '../output/output.ts'
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
      const onUnreadable = (reason: string): unknown => unreadable.push({ key: object.key, reason })
      return (await openIfBundle(store, object, onUnreadable))?.summary
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
 * One bundle by `id`, see `findObject`.
 *
 * @throws CliError `NOT_FOUND` when there is none or more than one, `DAMAGED` when it is no bundle, `STORE` when the store does not answer
 */
export async function findBundle(store: Store, id: string): Promise<BundleFile> {
  return openBundle(store, await findObject(store, id))
}

/**
 * The object of one bundle by `id`: the name of the object or a beginning of it, the uuid of the crash or a
 * beginning of it, or `latest`.
 *
 * @throws CliError `NOT_FOUND` when there is none or more than one, `STORE` when the store does not answer
 */
export async function findObject(store: Store, id: string): Promise<StoredObject> {
  const objects: StoredObject[] = []
  for await (const object of bundleObjects(store)) objects.push(object)
  if (id === 'latest') return latest(store, objects)

  // the default names begin with the uuid: mostly no bundle has to be read
  const named = objects.filter(({ key }) => key === id || fileName(key).startsWith(id))
  const exact = named.filter(({ key }) => [key, fileName(key), baseName(key)].includes(id))
  const found =
    exact.length > 0 ? exact : named.length > 0 ? named : await ofUuid(store, objects, id)
  const [first, second] = found
  if (first === undefined) throw notFound(`No bundle ${show(id)} in ${show(store.url)}`)
  if (second === undefined) return first
  const keys = found.slice(0, MAX_NAMED).map(({ key }) => show(key))
  throw notFound(
    `${show(id)} is the beginning of ${found.length} bundles, such as ${keys.join(', ')}; give more of it`,
  )
}

/** A bundle is stored after its crash: what was stored before `since` crashed before. */
export async function* bundleObjects(store: Store, since?: Date): AsyncGenerator<StoredObject> {
  const oldest = since === undefined ? -Infinity : since.getTime() - CLOCK_TOLERANCE_MS
  for await (const object of store.list()) {
    const file = fileName(object.key)
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
  return timeMs(a) - timeMs(b) || (a.key < b.key ? -1 : 1)
}

/** A time that is none is the oldest: it must not disturb the order of the others. */
function timeMs({ time }: BundleSummary): number {
  const ms = Date.parse(time)
  return Number.isNaN(ms) ? 0 : ms
}

async function latest(store: Store, objects: readonly StoredObject[]): Promise<StoredObject> {
  const newest = objects
    .toSorted((a, b) => b.modified.getTime() - a.modified.getTime())
    .slice(0, LATEST_CANDIDATES)
  const bundles = await openAll(store, newest)
  const last = bundles.toSorted((a, b) => byTime(a.summary, b.summary)).at(-1)?.archive.object
  // of one that cannot be read the caller says why
  const found = last ?? newest[0]
  if (found === undefined) throw notFound(`No bundle in ${show(store.url)}`)
  return found
}

async function ofUuid(
  store: Store,
  objects: readonly StoredObject[],
  id: string,
): Promise<StoredObject[]> {
  const bundles = await openAll(store, objects)
  return bundles
    .filter(({ summary }) => summary.id.startsWith(id))
    .map(({ archive }) => archive.object)
}

/** Those that can be read as bundles. */
async function openAll(store: Store, objects: readonly StoredObject[]): Promise<BundleFile[]> {
  const opened = await pMap(objects, (object) => openIfBundle(store, object, () => {}), {
    concurrency: CONCURRENCY,
  })
  return opened.filter((bundle) => bundle !== undefined)
}

/** Undefined for an object that is no bundle, and for one that was deleted since it was listed. */
async function openIfBundle(
  store: Store,
  object: StoredObject,
  onUnreadable: (reason: string) => void,
): Promise<BundleFile | undefined> {
  try {
    return await openBundle(store, object)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    if (error.code !== 'DAMAGED' && error.code !== 'NOT_FOUND') throw error
    if (error.code === 'DAMAGED') onUnreadable(error.message)
    return undefined
  }
}

function fileName(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

function notFound(message: string): CliError {
  return new CliError('NOT_FOUND', `${message}; \`cdh list\` shows what there is`)
}
