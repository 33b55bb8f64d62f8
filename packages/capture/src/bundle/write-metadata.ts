import { hostname, release } from 'node:os'
import {
  containerEntry,
  crashTime,
  createManifest,
  ENTRY,
  formatManifest,
  type ManifestCore,
  type ManifestCrash,
  type ManifestParts,
  processEntry,
} from '@core-dump-handler/bundle'
import type { ContainerDetails, LookupResult, ProcessSnapshot } from '@core-dump-handler/cri'
import type { CaptureContext } from '../context.ts'
import type { CoreSource } from '../core-source.ts'
import { type Crash, executableOf } from '../crash.ts'
import type { DeferredLookup } from '../lookup/deferred-lookup.ts'
import type { CrashReport } from '../report/analyze-crash.ts'
import { errorMessage } from '../text.ts'
import { within } from '../timing.ts'
import type { Bundle } from './open-bundle.ts'

export interface Metadata {
  readonly crash: Crash
  readonly snapshot: ProcessSnapshot | undefined
  readonly found: LookupResult
  readonly lookup: DeferredLookup
  readonly core: ManifestCore
  readonly source: CoreSource
  readonly report: CrashReport
}

/**
 * The entries of v9 in its order, the files of the crashed process, the report, the manifest last. An entry
 * that fails costs only itself; rejects when it is the manifest.
 */
export async function writeMetadata(
  bundle: Bundle,
  metadata: Metadata,
  context: CaptureContext,
): Promise<void> {
  const { crash, found, snapshot, lookup, core, source, report } = metadata
  const { settings, warnings, stop, version, nodeHostname } = context
  const { uuid, name, zip } = bundle
  const add = async (suffix: string, data: Uint8Array | string): Promise<void> => {
    await warnings.guard('ENTRY_NOT_WRITTEN', () => zip.add(`${name}${suffix}`, data))
  }
  for (const { code, message } of [...(snapshot?.warnings ?? []), ...found.warnings]) {
    warnings.add(code, message)
  }

  if (lookup.wanted && !settings.ignoreCrio) {
    await add(ENTRY.podInfo, json(found.podInfo))
    if (found.podInfo !== undefined) {
      await add(ENTRY.runtimeInfo, json(found.runtimeInfo))
      await add(ENTRY.psInfo, json(found.psInfo))
    }
    for (const [index, container] of found.containers.entries()) {
      const entry = containerEntry(index)
      await add(entry.log, await readLog(container, context))
      await add(entry.imageInfo, json(container.imageInfo))
      for (const [file, bytes] of initFiles(container, snapshot)) {
        await add(entry.processFile(file), bytes)
      }
    }
  }
  for (const [file, bytes] of snapshot?.files ?? []) await add(processEntry(file), bytes)
  for (const [suffix, data] of report.entries) await add(suffix, data)

  if (stop.cause) warnings.add(stop.cause.code, stop.cause.message)
  await bundle.freeReserve()
  const manifest = manifestText({
    uuid,
    composer: version,
    entry: source.entry,
    nodeHostname,
    crash,
    snapshot,
    identity: found.identity,
    core,
    ...report.manifest,
    timings: { heldMs: source.heldMs, lookupMs: lookup.tookMs, totalMs: source.elapsedMs },
    problems: warnings.list,
  })
  // without it a whole core cannot be told from a cut one: the unfinished file is left to be salvaged
  await zip.add(`${name}${ENTRY.manifest}`, manifest)
}

function json(value: object | undefined): string {
  return JSON.stringify(value ?? {})
}

/** The log tail of a container; as in v9, '' where there is none. */
async function readLog(
  container: ContainerDetails,
  { settings, stop, warnings }: CaptureContext,
): Promise<Uint8Array | string> {
  if (stop.cause) return ''
  const name = container.name ?? container.id
  try {
    const tail = await within(container.readLog(), settings.criCallTimeoutMs, stop.signal)
    if (tail === undefined) {
      if (!stop.cause) {
        const limit = `not done within ${settings.criCallTimeoutMs} ms`
        warnings.add('LOG_UNREADABLE', `Cannot read the log of \`${name}\`: ${limit}`)
      }
      return ''
    }
    if (tail.truncated) {
      warnings.add('LOG_TRUNCATED', `The log of \`${name}\` is longer than the tail that is kept`)
    }
    return tail.bytes
  } catch (error) {
    warnings.add('LOG_UNREADABLE', errorMessage(error))
    return ''
  }
}

/** Of the container's first process; when that is the one that crashed, its own snapshot serves. */
function initFiles(
  { crashed, initFiles: files, initPid }: ContainerDetails,
  snapshot: ProcessSnapshot | undefined,
): ReadonlyMap<string, Buffer> {
  if (files.size > 0 || !crashed || snapshot === undefined) return files
  const isInit = initPid === snapshot.pid || snapshot.status?.nspid.at(-1) === 1
  return isInit ? snapshot.files : files
}

/** The text of `<name>-manifest.json`. */
function manifestText({
  crash,
  snapshot,
  nodeHostname,
  ...rest
}: Omit<ManifestParts, 'node' | 'crash'> & {
  readonly crash: Crash
  readonly snapshot: ProcessSnapshot | undefined
  readonly nodeHostname: string | undefined
}): string {
  const node = { hostname: nodeHostname ?? hostname(), kernel: release() }
  return formatManifest(createManifest({ ...rest, node, crash: manifestCrash(crash, snapshot) }))
}

function manifestCrash(crash: Crash, snapshot: ProcessSnapshot | undefined): ManifestCrash {
  const exe = executableOf(crash, snapshot)
  const signal = /^\d{1,3}$/.test(crash.signal) ? Number(crash.signal) : undefined
  const uid = crash.uid ?? snapshot?.status?.uid
  const gid = crash.gid ?? snapshot?.status?.gid
  return {
    time: crashTime(crash.timestamp),
    ...(signal !== undefined && { signal }),
    ...(crash.signalName !== '' && { signalName: crash.signalName }),
    ...(crash.exeName !== '' && { comm: crash.exeName }),
    ...(crash.commBytes !== undefined && { commHex: crash.commBytes.toString('hex') }),
    ...(exe !== '' && { exe }),
    ...(crash.hostPid !== undefined && { hostPid: crash.hostPid }),
    ...(crash.innerPid !== undefined && { pid: crash.innerPid }),
    ...(crash.hostTid !== undefined && { tid: crash.hostTid }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(crash.dumpMode !== undefined && { dumpMode: crash.dumpMode }),
    ...(crash.limitSize !== '' && { coreLimit: crash.limitSize }),
  }
}
