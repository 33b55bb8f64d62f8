import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { CoreReasonCode } from '@core-dump-handler/composer'
import { ZipWriter, createPartFile, isIngestError, type PartFile } from '@core-dump-handler/ingest'

export interface AgentRecord {
  /** Of the bundle, without `.zip`. */
  readonly name: string
  /** Fields of the manifest besides `uuid` and `core`. */
  readonly manifest: Readonly<Record<string, unknown>>
  /** Text of `-dump-info.json`. */
  readonly dumpInfo: string
  /** Why there is no core. */
  readonly reason: string
  readonly reasonCode: CoreReasonCode
  /** Further entries, by the ends of their names. */
  readonly entries?: Readonly<Record<string, string>>
}

const MAX_EQUAL_NAMES = 1000

/** Writes a bundle without a core, which travels like any other; resolves with its file name. @throws IngestError */
export async function writeRecord(directory: string, record: AgentRecord): Promise<string> {
  const { name, part } = createUnderFreeName(directory, record.name)
  await using _ = part
  const zip = new ZipWriter(part)
  const manifest = {
    ...record.manifest,
    uuid: randomUUID(),
    core: { bytes: 0, complete: false, reason: record.reason, reasonCode: record.reasonCode },
  }
  await zip.add(`${name}-dump-info.json`, record.dumpInfo)
  for (const [suffix, content] of Object.entries(record.entries ?? {})) {
    await zip.add(`${name}${suffix}`, content)
  }
  await zip.add(`${name}-manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`)
  await zip.finish()
  await part.publish()
  return `${name}.zip`
}

function createUnderFreeName(directory: string, wanted: string): { name: string; part: PartFile } {
  for (let attempt = 1; ; attempt++) {
    const name = attempt === 1 ? wanted : `${wanted}-${attempt}`
    try {
      return { name, part: createPartFile(join(directory, `${name}.zip`)) }
    } catch (error) {
      const taken = isIngestError(error) && error.code === 'EXISTS'
      if (!taken || attempt === MAX_EQUAL_NAMES) throw error
    }
  }
}
