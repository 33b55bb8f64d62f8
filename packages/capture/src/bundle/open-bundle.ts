import { hostname } from 'node:os'
import { createBundleFile, ENTRY, formatDumpInfo } from '@core-dump-handler/bundle'
import type { Identity } from '@core-dump-handler/cri'
import { type PartFile, ZipWriter } from '@core-dump-handler/ingest'
import type { CaptureContext } from '../context.ts'
import type { Crash } from '../crash.ts'
import { makeDirectory } from '../system/make-directory.ts'
import { reserveSpace } from './disk-limits.ts'
import type { StoreSink } from './store-sink.ts'
import { bundleName, type NameFields } from './name.ts'

/** A bundle being written. */
export interface Bundle {
  readonly uuid: string
  /** Of the zip without `.zip`, and the beginning of every entry. */
  readonly name: string
  readonly part: PartFile
  readonly zip: ZipWriter
  /** What `zip` writes to where its parts go to the store; else it is `part`. */
  readonly store: StoreSink | undefined
  /** Frees the space that was reserved for the manifest and the central directory. */
  readonly freeReserve: () => Promise<void>
}

/** Makes the directory where it is missing, chooses a free name, and writes the first entry. */
export async function openBundle(
  crash: Crash,
  uuid: string,
  identity: Identity | undefined,
  context: CaptureContext,
): Promise<Bundle> {
  const { settings, directory, home, warnings, nodeHostname = hostname() } = context
  await makeDirectory(directory)
  const fields = nameFields(directory, nodeHostname, crash, uuid, identity)
  const wanted = bundleName(settings.filenameTemplate, fields, warnings)
  const tidied = home === undefined ? withoutTail(wanted) : wanted
  const { name, part } = await createBundleFile(directory, tidied, uuid)
  const dumpInfo = formatDumpInfo({
    uuid,
    dump_file: `${name}${ENTRY.core}`,
    timestamp: crash.timestamp,
    hostname: crash.hostname,
    exe: crash.exeName,
    real_pid: crash.pid,
    signal: crash.signal,
    node_hostname: nodeHostname,
    path: crash.pathname,
  })
  const store = await storeSink(part, uuid, context)
  const zip = new ZipWriter(store ?? part, { onPool: true })
  // a write that fails once must not cost the core
  await warnings.guard('ENTRY_NOT_WRITTEN', () => zip.add(`${name}${ENTRY.dumpInfo}`, dumpInfo))
  return { uuid, name, part, zip, store, freeReserve: await reserveSpace(directory) }
}

async function storeSink(
  part: PartFile,
  uuid: string,
  context: CaptureContext,
): Promise<StoreSink | undefined> {
  const { settings, uploadBundle } = context
  if (uploadBundle === undefined || settings.straightToStore === 'off') return undefined
  // loaded here: a pipe never needs it
  const { StoreSink: Sink } = await import('./store-sink.ts')
  return new Sink(part, context, { uuid })
}

function nameFields(
  directory: string,
  nodeHostname: string,
  crash: Crash,
  uuid: string,
  identity: Identity | undefined,
): NameFields {
  return {
    limit_size: crash.limitSize,
    exe_name: crash.exeName,
    pid: crash.pid,
    signal: crash.signal,
    timestamp: crash.timestamp,
    directory,
    hostname: crash.hostname,
    pathname: crash.pathname,
    namespace: identity?.namespace ?? 'unknown',
    podname: identity?.pod ?? 'unknown',
    uuid,
    podUid: identity?.podUid ?? 'unknown',
    container: identity?.container ?? 'unknown',
    containerId: identity?.containerId ?? 'unknown',
    nodeHostname,
    signalName: crash.signalName,
    hostPid: String(crash.hostPid ?? ''),
    uid: String(crash.uid ?? ''),
    gid: String(crash.gid ?? ''),
  }
}

/** Started by a person most fields are empty: no separators at the end. */
function withoutTail(name: string): string {
  return name.replace(/(?<=.)-+$/, '')
}
