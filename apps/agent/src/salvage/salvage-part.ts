import { randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { join } from 'node:path'
import { bundleFileName, candidateNames, ENTRY, nameOfPartFile } from '@core-dump-handler/bundle'
import { isIngestError, salvageZip, type SalvagedZip } from '@core-dump-handler/ingest'
import { growingState } from '@core-dump-handler/upload'
import { closingEntries } from './closing-entries.ts'

export interface SalvagePartOptions {
  readonly nodeName: string
  readonly signal: AbortSignal
  /** Awaited about once for each MiB. */
  readonly onProgress: () => Promise<void>
}

/** What became of an unfinished file. */
export interface SalvagedPart extends SalvagedZip {
  /** File name of the bundle; `undefined` when it was published before. */
  readonly bundle: string | undefined
  readonly coreBytes: number
}

/** Makes a bundle of `<directory>/.<name>.zip.part`, under the first free one of `candidateNames`. */
export async function salvagePart(
  directory: string,
  file: string,
  stats: BigIntStats,
  { nodeName, signal, onProgress }: SalvagePartOptions,
): Promise<SalvagedPart> {
  const wanted = nameOfPartFile(file) ?? file
  const [createdMs, modifiedMs] = [Number(stats.birthtimeMs), Number(stats.mtimeMs)]
  const facts = { name: wanted, nodeName, createdMs: createdMs || modifiedMs, modifiedMs }
  const path = join(directory, file)
  // of a receiver that sent it to the store while it wrote it
  const growing = await growingState(path, join(directory, bundleFileName(wanted)))
  let taken: unknown
  for (const name of candidateNames(wanted, randomUUID())) {
    const bundle = bundleFileName(name)
    try {
      const salvaged = await salvageZip(path, {
        finalPath: join(directory, bundle),
        ...(growing && { intactBytes: growing.intactBytes }),
        // the upload is known under this name only
        isComplete: growing?.isFinished === true && name === wanted,
        addEntries: async (saved) => closingEntries(saved, facts),
        onProgress,
        signal,
      })
      const core = salvaged.entries.find(
        ({ name: entry }) => entry.endsWith(ENTRY.core) && !entry.endsWith(ENTRY.minicore),
      )
      return {
        ...salvaged,
        bundle: salvaged.outcome === 'published' ? undefined : bundle,
        coreBytes: core?.bytes ?? 0,
      }
    } catch (error) {
      if (!isIngestError(error) || error.code !== 'EXISTS') throw error
      taken = error
    }
  }
  throw taken
}
