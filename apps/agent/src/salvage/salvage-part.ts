import type { BigIntStats } from 'node:fs'
import { basename, join } from 'node:path'
import { ENTRY, nameOfPartFile } from '@core-dump-handler/bundle'
import { isIngestError, salvageZip, type SalvagedZip } from '@core-dump-handler/ingest'
import { closingEntries } from './closing-entries.ts'

export interface SalvagePartOptions {
  readonly nodeName: string
  readonly signal: AbortSignal
  /** Awaited about once for each MiB. */
  readonly onProgress: () => Promise<void>
}

/** What became of an unfinished file. */
export interface SalvagedPart extends SalvagedZip {
  /** The bundle; `undefined` when it was there before. */
  readonly bundle: string | undefined
  readonly coreBytes: number
}

const MAX_EQUAL_NAMES = 100

/** Makes a bundle of `<directory>/.<name>.zip.part`, under its own name or, where that is taken, the next one. */
export async function salvagePart(
  directory: string,
  file: string,
  stats: BigIntStats,
  { nodeName, signal, onProgress }: SalvagePartOptions,
): Promise<SalvagedPart> {
  const name = nameOfPartFile(file) ?? file
  const [createdMs, modifiedMs] = [Number(stats.birthtimeMs), Number(stats.mtimeMs)]
  const facts = { name, nodeName, createdMs: createdMs || modifiedMs, modifiedMs }
  for (let n = 1; ; n++) {
    const finalPath = join(directory, `${name}${n === 1 ? '' : `-${n}`}.zip`)
    try {
      const salvaged = await salvageZip(join(directory, file), {
        finalPath,
        addEntries: async (saved) => closingEntries(saved, facts),
        onProgress,
        signal,
      })
      const core = salvaged.entries.find((entry) => entry.name.endsWith(ENTRY.core))
      const bundle = salvaged.outcome === 'published' ? undefined : basename(finalPath)
      return { ...salvaged, bundle, coreBytes: core?.bytes ?? 0 }
    } catch (error) {
      const taken = isIngestError(error) && error.code === 'EXISTS'
      if (!taken || n === MAX_EQUAL_NAMES) throw error
    }
  }
}
