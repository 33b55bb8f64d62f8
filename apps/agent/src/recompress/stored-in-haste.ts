import * as v from 'valibot'
import { ENTRY, readManifest } from '@core-dump-handler/bundle'

/** Less than this part of a bundle is not worth the work. */
const MIN_SHARE = 0.1

const CORE = v.object({
  entry: v.pipe(v.string(), v.regex(/^.+\.core$/s)),
  mode: v.picklist(['adaptive', 'store']),
  treated: v.object({ storedBytes: v.number() }),
  recompressed: v.optional(v.never()),
})

/** The entries of a bundle that matter here. */
export interface Stored {
  readonly entryName: string
  readonly manifestName: string
}

/** Whether much of the core was stored as it is while its process was held; by what the manifest says. */
export async function storedInHaste(path: string, bytes: number): Promise<Stored | undefined> {
  const manifest = await readManifest(path)
  const core = v.safeParse(CORE, manifest?.core)
  if (!core.success || core.output.treated.storedBytes < bytes * MIN_SHARE) return undefined
  const entryName = core.output.entry
  return { entryName, manifestName: `${entryName.slice(0, -ENTRY.core.length)}${ENTRY.manifest}` }
}
