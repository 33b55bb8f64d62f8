import { randomUUID } from 'node:crypto'
import { release } from 'node:os'
import type { BundleManifest, ManifestCore } from '@core-dump-handler/composer'
import type { SalvageAddition, SavedEntry, SavedZip } from '@core-dump-handler/ingest'
import { agentVersion } from '../version.ts'
import { crashOf, parseDumpInfo } from './crash-facts.ts'

/** What is known of an unfinished bundle besides its content. */
export interface PartFacts {
  /** Of the bundle, without `.zip`: the beginning of its entries. */
  readonly name: string
  /** Name of this node, where dump-info does not tell. */
  readonly nodeName: string
  readonly createdMs: number
  /** Of the last write. */
  readonly modifiedMs: number
}

const METHODS: Readonly<Record<number, 'deflate' | 'zstd'>> = { 8: 'deflate', 93: 'zstd' }
const DIED = 'The composer died'

/** The entries that end a bundle whose composer died: the manifest, and dump-info where it is lost. */
export async function endingOf(saved: SavedZip, part: PartFacts): Promise<SalvageAddition[]> {
  const isThere = (suffix: string): SavedEntry | undefined =>
    saved.entries.find(({ name, whole }) => whole && name.endsWith(suffix))
  // it died behind its last entry: its own story is whole
  if (isThere('-manifest.json') !== undefined) return []
  const dumpInfo = isThere('-dump-info.json')
  const info = parseDumpInfo(dumpInfo && (await saved.read(dumpInfo.name)))
  const name = dumpInfo?.name.slice(0, -'-dump-info.json'.length) ?? part.name
  const uuid = info.uuid === '' ? randomUUID() : info.uuid
  const core = coreOf(saved, `${name}.core`)
  const manifest: BundleManifest = {
    schema: 'core-dump-handler/bundle@1',
    uuid,
    composer: agentVersion(),
    node: { hostname: info.node_hostname || part.nodeName, kernel: release() },
    crash: crashOf(info, new Date(part.createdMs)),
    identity: { status: 'unverified', reason: `${DIED} before it told whose crash it was` },
    core,
    timings: timingsOf(part),
    problems: [{ code: 'COMPOSER_DIED', message: messageOf(saved, core) }],
  }
  const record = {
    ...info,
    uuid,
    dump_file: `${name}.core`,
    node_hostname: manifest.node.hostname,
  }
  return [
    ...(dumpInfo === undefined
      ? [[`${name}-dump-info.json`, JSON.stringify(record)] as const]
      : []),
    [`${name}-manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`],
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

/** The least that can be said: the process was held while the file was written to. */
function timingsOf({ createdMs, modifiedMs }: PartFacts): BundleManifest['timings'] {
  const totalMs = Math.max(0, Math.round(modifiedMs - createdMs))
  return { heldMs: totalMs, lookupMs: 0, totalMs }
}

function messageOf({ lostBytes }: SavedZip, { bytes }: ManifestCore): string {
  const lost = lostBytes > 0 ? `; ${lostBytes} bytes behind them could not be used` : ''
  return `The composer ended before the bundle was done (killed, out of memory, or the node went down): the agent saved ${bytes} bytes of the core${lost}`
}
