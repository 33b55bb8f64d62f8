import pMap from 'p-map'
import { CliError } from '../error.ts'
import { escapeName, show } from '../output/escape.ts'
import type { Store, StoredObject } from '../store/store.ts'
import { baseName } from './archive.ts'
import { bundleObjects } from './list-bundles.ts'
import { type BundleFile, openBundle } from './open-bundle.ts'

const CONCURRENCY = 32
/** Uploads do not arrive in the order of crashes: so many are looked at for the latest one. */
const LATEST_CANDIDATES = 32
const MAX_NAMED = 5

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
