import {
  crashOfDumpInfo,
  ENTRY,
  parseDumpInfo,
  parseManifest,
  type BundleManifest,
  type ManifestCrash,
} from '@core-dump-handler/bundle'
import type { Store, StoredObject } from '../store/store.ts'
import { Archive, baseName } from './archive.ts'

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024
const MAX_DUMP_INFO_BYTES = 64 * 1024

/** What a list shows of a bundle; absent: not known. Texts come from crashed programs. */
export interface BundleSummary {
  /** The uuid of the crash; of a bundle without one its name. */
  readonly id: string
  /** Of the object in the store. */
  readonly key: string
  /** Of the object. */
  readonly bytes: number
  /** RFC 3339, UTC. */
  readonly time: string
  readonly node?: string
  readonly identity: BundleManifest['identity']['status']
  readonly namespace?: string
  readonly pod?: string
  readonly container?: string
  readonly image?: string
  /** File name of the executable, else the name of the crashing thread. */
  readonly program?: string
  readonly signal?: number
  readonly signalName?: string
  readonly topFrame?: string
  readonly fingerprint?: { readonly id: string; readonly family?: string }
  /** Received and kept of the core. */
  readonly coreBytes?: number
  /** Absent: the bundle has no manifest. */
  readonly complete?: boolean
  readonly reason?: string
}

/** A stored bundle with what its manifest contains. */
export interface BundleFile {
  readonly summary: BundleSummary
  readonly archive: Archive
  /** Absent in bundles of IBM core-dump-handler 9. */
  readonly manifest?: BundleManifest
}

/** Reads the end of a stored bundle: its directory and its manifest, mostly in one request. */
export async function openBundle(store: Store, object: StoredObject): Promise<BundleFile> {
  const archive = await Archive.open(store, object)
  const json = await archive.text(ENTRY.manifest, MAX_MANIFEST_BYTES)
  const manifest = json === undefined ? undefined : parseManifest(parseJson(json))
  if (manifest !== undefined) {
    return { archive, manifest, summary: summaryOf(object, manifest) }
  }
  const info = parseDumpInfo(await archive.text(ENTRY.dumpInfo, MAX_DUMP_INFO_BYTES))
  const summary: BundleSummary = {
    id: info.uuid === '' ? baseName(object.key) : info.uuid,
    key: object.key,
    bytes: object.bytes,
    identity: 'unverified',
    ...(info.node_hostname !== '' && { node: info.node_hostname }),
    ...crashSummary(crashOfDumpInfo(info, object.modified)),
    reason: `the bundle has no ${json === undefined ? '' : 'valid '}manifest`,
  }
  return { archive, summary }
}

function summaryOf(object: StoredObject, manifest: BundleManifest): BundleSummary {
  const { uuid, node, crash, identity, core, fingerprint, topFrame } = manifest
  return {
    id: uuid,
    key: object.key,
    bytes: object.bytes,
    node: node.hostname,
    identity: identity.status,
    ...(identity.namespace !== undefined && { namespace: identity.namespace }),
    ...(identity.pod !== undefined && { pod: identity.pod }),
    ...(identity.container !== undefined && { container: identity.container }),
    ...(identity.image !== undefined && { image: identity.image }),
    ...crashSummary(crash),
    ...(topFrame !== undefined && { topFrame }),
    ...(fingerprint !== undefined && { fingerprint }),
    coreBytes: core.bytes,
    complete: core.complete,
    ...(core.reason !== undefined && { reason: core.reason }),
  }
}

function crashSummary(
  crash: ManifestCrash,
): Pick<BundleSummary, 'time' | 'program' | 'signal' | 'signalName'> {
  const { time, exe, comm, signal, signalName } = crash
  const program = exe === undefined ? comm : exe.slice(exe.lastIndexOf('/') + 1)
  return {
    time,
    ...(program !== undefined && { program }),
    ...(signal !== undefined && { signal }),
    ...(signalName !== undefined && { signalName }),
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
