import { randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import {
  bundleFileName,
  type BundleManifest,
  candidateNames,
  crashOfDumpInfo,
  createManifest,
  ENTRY,
  formatDumpInfo,
  formatManifest,
  type ManifestCore,
  nameOfPartFile,
  parseDumpInfo,
} from '@core-dump-handler/bundle'
import {
  isIngestError,
  type SalvageAddition,
  type SalvagedZip,
  salvageZip,
  type SavedEntry,
  type SavedZip,
} from '@core-dump-handler/ingest'
import { growingState } from '@core-dump-handler/upload'
import { agentVersion } from '../version.ts'

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

/** What is known of an unfinished bundle besides its content. */
interface PartFacts {
  /** Name of the bundle without `.zip`: the beginning of its entries' names. */
  readonly name: string
  /** Name of this node, where dump-info has none. */
  readonly nodeName: string
  readonly createdMs: number
  /** Of the last write. */
  readonly modifiedMs: number
}

const METHODS: Readonly<Record<number, 'deflate' | 'zstd'>> = { 8: 'deflate', 93: 'zstd' }
const DIED = 'The composer died'

/** The entries that end a bundle whose composer died: the manifest, and dump-info where it is lost. */
async function closingEntries(saved: SavedZip, part: PartFacts): Promise<SalvageAddition[]> {
  const isThere = (suffix: string): SavedEntry | undefined =>
    saved.entries.find(({ name, whole }) => whole && name.endsWith(suffix))
  // it died after its last entry: its own metadata is complete
  if (isThere(ENTRY.manifest) !== undefined) return []
  const dumpInfo = isThere(ENTRY.dumpInfo)
  const info = parseDumpInfo(dumpInfo && String(await saved.read(dumpInfo.name)))
  const name = dumpInfo?.name.slice(0, -ENTRY.dumpInfo.length) ?? part.name
  const uuid = info.uuid === '' ? randomUUID() : info.uuid
  const core = coreOf(saved, `${name}${ENTRY.core}`)
  const manifest = createManifest({
    uuid,
    composer: agentVersion(),
    node: { hostname: info.node_hostname || part.nodeName, kernel: release() },
    crash: crashOfDumpInfo(info, new Date(part.createdMs)),
    identity: { status: 'unverified', reason: `${DIED} before it recorded whose crash it was` },
    core,
    timings: timingsOf(part),
    problems: [{ code: 'COMPOSER_DIED', message: messageOfSaved(saved, core) }],
  })
  const record = {
    ...info,
    uuid,
    dump_file: `${name}${ENTRY.core}`,
    node_hostname: manifest.node.hostname,
  }
  return [
    ...(dumpInfo === undefined
      ? [[`${name}${ENTRY.dumpInfo}`, formatDumpInfo(record)] as const]
      : []),
    [`${name}${ENTRY.manifest}`, formatManifest(manifest)],
  ]
}

function coreOf({ entries, foundBytes }: SavedZip, name: string): ManifestCore {
  const entry = entries.find((one) => one.name === name)
  if (entry === undefined) {
    const reason = `${DIED} before any of the core was on the disk; it left ${foundBytes} bytes`
    return { bytes: 0, complete: false, reason, reasonCode: 'COMPOSER_DIED' }
  }
  const { bytes, compressedBytes, elf, crc32, method, whole } = entry
  const { expectedBytes } = elf
  const packing = METHODS[method]
  // all that the ELF headers promise, ended and checked: nothing is missing from the core itself
  const complete = whole && expectedBytes !== undefined && bytes >= expectedBytes
  const promised =
    expectedBytes === undefined ? '' : ` of the ${expectedBytes} its ELF headers promise`
  return {
    entry: name,
    bytes,
    storedBytes: compressedBytes,
    ...(expectedBytes !== undefined && { expectedBytes }),
    complete,
    ...(!complete && {
      reason: `${DIED} after ${bytes} bytes${promised}`,
      reasonCode: 'COMPOSER_DIED' as const,
    }),
    crc32: crc32.toString(16).padStart(8, '0'),
    ...(packing !== undefined && { method: packing }),
  }
}

/** The lower bound: the process was held while the file was written. */
function timingsOf({ createdMs, modifiedMs }: PartFacts): BundleManifest['timings'] {
  const totalMs = Math.max(0, Math.round(modifiedMs - createdMs))
  return { heldMs: totalMs, lookupMs: 0, totalMs }
}

function messageOfSaved({ lostBytes }: SavedZip, { bytes }: ManifestCore): string {
  const lost = lostBytes > 0 ? `; ${lostBytes} bytes after them could not be used` : ''
  return `The composer ended before the bundle was done (killed, out of memory, or the node went down): the agent saved ${bytes} bytes of the core${lost}`
}
