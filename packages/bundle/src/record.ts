import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { ZipWriter, createPartFile, isIngestError, type PartFile } from '@core-dump-handler/ingest'
import {
  type CoreReasonCode,
  createManifest,
  formatManifest,
  type ManifestParts,
} from './manifest.ts'
import { bundleFileName, candidateNames, ENTRY } from './names.ts'

/** A bundle without a core: of crashes whose core was not kept. */
export interface CrashRecord {
  /** Of the bundle, without `.zip`. */
  readonly name: string
  readonly manifest: Omit<ManifestParts, 'uuid' | 'core'>
  /** Text of `-dump-info.json`. */
  readonly dumpInfo: string
  /** Why there is no core. */
  readonly reason: string
  readonly reasonCode: CoreReasonCode
  /** Further entries, by the ends of their names. */
  readonly entries?: Readonly<Record<string, string>>
}

/**
 * Writes a record as a bundle into `directory`; resolves with its file name.
 *
 * @throws IngestError when it cannot be written
 */
export async function writeRecord(directory: string, record: CrashRecord): Promise<string> {
  const { reason, reasonCode, dumpInfo, entries = {} } = record
  const uuid = randomUUID()
  const { name, part } = await createBundleFile(directory, record.name, uuid)
  await using _ = part
  const zip = new ZipWriter(part)
  const core = { bytes: 0, complete: false, reason, reasonCode }
  const manifest = { ...record.manifest, ...createManifest({ ...record.manifest, uuid, core }) }
  await zip.add(`${name}${ENTRY.dumpInfo}`, dumpInfo)
  for (const [suffix, content] of Object.entries(entries)) {
    await zip.add(`${name}${suffix}`, content)
  }
  await zip.add(`${name}${ENTRY.manifest}`, formatManifest(manifest))
  await zip.finish()
  await part.publish()
  return bundleFileName(name)
}

/**
 * Creates the unfinished file of a bundle under the first free one of `candidateNames`.
 *
 * @throws IngestError when it cannot be created
 */
export async function createBundleFile(
  directory: string,
  wanted: string,
  uuid: string,
): Promise<{ readonly name: string; readonly part: PartFile }> {
  let taken: unknown
  for (const name of candidateNames(wanted, uuid)) {
    try {
      return { name, part: await createPartFile(join(directory, bundleFileName(name))) }
    } catch (error) {
      if (!isIngestError(error) || error.code !== 'EXISTS') throw error
      taken = error
    }
  }
  throw taken
}
