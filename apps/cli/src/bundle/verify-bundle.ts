import { ENTRY, type BundleManifest } from '@core-dump-handler/bundle'
import { CliError, messageOf } from '../error.ts'
import type { Store, StoredObject } from '../store/store.ts'
import { type ArchiveEntry, expand } from './archive.ts'
import { openBundle, type BundleFile } from './open-bundle.ts'

export interface Verification {
  readonly key: string
  readonly id?: string
  /** `incomplete`: every byte is as it was written, but the core is cut, absent, or not known to be whole. */
  readonly state: 'intact' | 'incomplete' | 'damaged'
  /** What is wrong, in sentences; texts of the bundle are not escaped. */
  readonly problems: readonly string[]
  readonly entries: number
  /** Content that was read and compared. */
  readonly bytes: number
}

/**
 * Reads every byte of a stored bundle and compares CRC-32 and sizes with the zip, and the core with the
 * manifest. `onBytes` is called with the stored bytes of each piece that was read.
 *
 * @throws CliError `STORE` when the store does not answer
 */
export async function verifyBundle(
  store: Store,
  object: StoredObject,
  onBytes?: (bytes: number) => void,
): Promise<Verification> {
  let bundle: BundleFile
  try {
    bundle = await openBundle(store, object)
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'DAMAGED') throw error
    const { key } = object
    return { key, state: 'damaged', problems: [error.message], entries: 0, bytes: 0 }
  }
  const { archive, summary } = bundle
  const problems = manifestProblems(bundle)
  let bytes = 0
  for (const entry of archive.entries) {
    try {
      for await (const chunk of expand(await archive.stream(entry, onBytes), entry)) {
        bytes += chunk.length
      }
    } catch (error) {
      if (error instanceof CliError && error.code !== 'DAMAGED') throw error
      problems.push(`${entry.fileName}: ${messageOf(error)}`)
    }
  }
  const gap = incompleteness(bundle)
  const state = problems.length > 0 ? 'damaged' : gap === undefined ? 'intact' : 'incomplete'
  return {
    key: object.key,
    id: summary.id,
    state,
    problems: gap === undefined ? problems : [...problems, gap],
    entries: archive.entries.length,
    bytes,
  }
}

/** Undefined when the core is known to be whole. */
function incompleteness({ archive, manifest }: BundleFile): string | undefined {
  if (manifest === undefined) {
    const isInvalid = archive.entry(ENTRY.manifest) !== undefined
    return isInvalid ? undefined : 'it has no manifest: whether the core is whole is not known'
  }
  const { complete, reason = 'without a reason' } = manifest.core
  return complete ? undefined : `the core is incomplete: ${reason}`
}

function manifestProblems({ archive, manifest }: BundleFile): string[] {
  if (manifest === undefined) {
    return archive.entry(ENTRY.manifest) === undefined ? [] : ['its manifest is not valid']
  }
  const { core } = manifest
  const problems: string[] = []
  if (archive.entries.at(-1) !== archive.entry(ENTRY.manifest)) {
    problems.push('the manifest is not the last entry')
  }
  if (archive.entry(ENTRY.dumpInfo) === undefined) problems.push('it has no dump-info')
  if (core.entry === undefined) {
    const isClaimed = core.complete && core.bytes > 0
    return isClaimed
      ? [...problems, 'its manifest has a complete core, and names no entry']
      : problems
  }
  const entry = archive.entries.find(({ fileName }) => fileName === core.entry)
  if (entry === undefined)
    return [...problems, `it has no core, and its manifest names ${core.entry}`]
  return [...problems, ...coreProblems(entry, core)]
}

function coreProblems(entry: ArchiveEntry, core: BundleManifest['core']): string[] {
  const problems: string[] = []
  if (entry.uncompressedSize !== core.bytes) {
    problems.push(`the core has ${entry.uncompressedSize} bytes, and ${core.bytes} by the manifest`)
  }
  const crc = entry.crc32.toString(16).padStart(8, '0')
  if (core.crc32 !== undefined && core.crc32 !== crc) {
    problems.push(`the core has the CRC-32 ${crc}, and ${core.crc32} by the manifest`)
  }
  if (core.complete && core.expectedBytes !== undefined && core.bytes < core.expectedBytes) {
    problems.push(
      `the core has ${core.bytes} of ${core.expectedBytes} bytes, and is called complete`,
    )
  }
  return problems
}
