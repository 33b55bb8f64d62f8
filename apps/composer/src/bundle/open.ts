import { hostname as nodeHostname } from 'node:os'
import { join, resolve } from 'node:path'
import { type Identity } from '@core-dump-handler/cri'
import { type PartFile, ZipWriter, createPartFile, isIngestError } from '@core-dump-handler/ingest'
import type { Crash } from '../crash/crash.ts'
import { makeDirectory } from '../make-directory.ts'
import type { Task } from '../task.ts'
import { formatDumpInfo } from './dump-info.ts'
import { bundleName } from './name.ts'
import { reserveRoom } from './reserve-room.ts'

/** A bundle being written. */
export interface Bundle {
  readonly uuid: string
  /** Of the zip without `.zip`, and the beginning of every entry. */
  readonly name: string
  readonly part: PartFile
  readonly zip: ZipWriter
  /** Set where it goes to the agent, not into `part`, for as long as that works. */
  /** Gives back the room that was kept for the manifest and the central directory. */
  readonly giveRoom: () => void
}

const MAX_EQUAL_NAMES = 100

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
  const { name, part } = createUnderFreeName(
    directory,
    task.home === undefined ? tidy(wanted) : wanted,
    uuid,
  )
  const dumpInfo = formatDumpInfo({ ...crash, uuid, name, nodeHostname: nodeHostname() })
  const zip = new ZipWriter(part)
  // a write that fails once must not cost the core
  await task.problems.guard('ENTRY_NOT_WRITTEN', () => zip.add(`${name}-dump-info.json`, dumpInfo))
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

/** Equal names get a suffix; the exclusive part file keeps two composers apart. */
function createUnderFreeName(
  directory: string,
  wanted: string,
  uuid: string,
): { name: string; part: PartFile } {
  for (let attempt = 1; ; attempt++) {
    const suffix = attempt > MAX_EQUAL_NAMES ? `-${uuid}` : attempt > 1 ? `-${attempt}` : ''
    const name = `${wanted}${suffix}`
    try {
      return { name, part: createPartFile(join(directory, `${name}.zip`)) }
    } catch (error) {
      const taken = isIngestError(error) && error.code === 'EXISTS'
      if (!taken || attempt > MAX_EQUAL_NAMES) throw error
    }
  }
}
