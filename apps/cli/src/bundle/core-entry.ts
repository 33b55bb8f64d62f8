import { type BundleManifest, ENTRY } from '@core-dump-handler/bundle'
import type { Entry } from 'yauzl'
import type { Archive } from './archive.ts'

/** The entry with the core; undefined in a bundle without one. */
export function coreEntry(
  archive: Archive,
  manifest: BundleManifest | undefined,
): Entry | undefined {
  const name = manifest?.core.entry
  return name === undefined
    ? archive.entry(ENTRY.core)
    : archive.entries.find(({ fileName }) => fileName === name)
}
