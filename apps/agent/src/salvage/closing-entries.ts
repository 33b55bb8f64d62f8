import { randomUUID } from 'node:crypto'
import { release } from 'node:os'
import {
  type BundleManifest,
  crashOfDumpInfo,
  createManifest,
  ENTRY,
  formatDumpInfo,
  formatManifest,
  type ManifestCore,
  parseDumpInfo,
} from '@core-dump-handler/bundle'
import type { SalvageAddition, SavedEntry, SavedZip } from '@core-dump-handler/ingest'
import { agentVersion } from '../version.ts'

/** What is known of an unfinished bundle besides its content. */
export interface PartFacts {
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
export async function closingEntries(saved: SavedZip, part: PartFacts): Promise<SalvageAddition[]> {
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
