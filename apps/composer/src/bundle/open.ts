import { hostname as nodeHostname } from 'node:os'
import { resolve } from 'node:path'
import { createBundleFile, ENTRY, formatDumpInfo } from '@core-dump-handler/bundle'
import { type Identity } from '@core-dump-handler/cri'
import { type PartFile, ZipWriter } from '@core-dump-handler/ingest'
import type { Crash } from '../crash/crash.ts'
import { makeDirectory } from '../make-directory.ts'
import type { Task } from '../task.ts'
import { bundleName } from './name.ts'
import { reserveRoom } from './reserve-room.ts'

/** A bundle being written. */
export interface Bundle {
  readonly uuid: string
  /** Of the zip without `.zip`, and the beginning of every entry. */
  readonly name: string
  readonly part: PartFile
  readonly zip: ZipWriter
  /** Gives back the room that was kept for the manifest and the central directory. */
  readonly giveRoom: () => void
}

/** Where bundles go: `-d`, else CORE_DIR, else the working directory. */
export function outputDirectory({ args, settings, byKernel, problems }: Task): string {
  const given = args.values.dir
  if (given === undefined || given === '') return resolve(settings.coreDir)
  // our pattern has no -d; before Linux 5.3 a program's name could bring one
  if (byKernel && settings.coreDir !== '' && resolve(given) !== resolve(settings.coreDir)) {
    problems.add('IGNORED_DIRECTORY', `Kept to CORE_DIR, the command line said \`${given}\``)
    return resolve(settings.coreDir)
  }
  return resolve(given)
}

/** Makes the directory where it is missing, chooses a free name, and writes the first entry. */
export async function openBundle(
  directory: string,
  crash: Crash,
  uuid: string,
  identity: Identity | undefined,
  task: Task,
): Promise<Bundle> {
  makeDirectory(directory)
  const wanted = bundleName(
    task.settings.filenameTemplate,
    nameFields(directory, crash, uuid, identity),
    task.problems,
  )
  const { name, part } = createBundleFile(
    directory,
    task.home === undefined ? tidy(wanted) : wanted,
    uuid,
  )
  const dumpInfo = formatDumpInfo({
    uuid,
    dump_file: `${name}${ENTRY.core}`,
    timestamp: crash.timestamp,
    hostname: crash.hostname,
    exe: crash.exeName,
    real_pid: crash.pid,
    signal: crash.signal,
    node_hostname: nodeHostname(),
    path: crash.pathname,
  })
  const zip = new ZipWriter(part)
  // a write that fails once must not cost the core
  await task.problems.guard('ENTRY_NOT_WRITTEN', () =>
    zip.add(`${name}${ENTRY.dumpInfo}`, dumpInfo),
  )
  return { uuid, name, part, zip, giveRoom: reserveRoom(directory) }
}

function nameFields(directory: string, crash: Crash, uuid: string, identity: Identity | undefined) {
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
    nodeHostname: nodeHostname(),
    signalName: crash.signalName,
    hostPid: String(crash.hostPid ?? ''),
    uid: String(crash.uid ?? ''),
    gid: String(crash.gid ?? ''),
  }
}

/** By hand most fields are empty: no tail of separators. */
function tidy(name: string): string {
  return name.replace(/(?<=.)-+$/, '')
}
