import {
  type CrashFacts,
  type LookupSubject,
  type ProcessSnapshot,
  snapshotProcessWithin,
} from '@core-dump-handler/cri'
import type { Crash } from './crash.ts'
import { PROCESS_FILES } from './process-files.ts'
import type { Task } from '../task.ts'

/** `/proc/<host pid>` as it is now; undefined when no host pid was given. */
export async function snapshotCrash(
  crash: Crash,
  { settings }: Task,
): Promise<ProcessSnapshot | undefined> {
  if (crash.hostPid === undefined) return undefined
  return snapshotProcessWithin(crash.hostPid, {
    root: settings.procRoot,
    crash: factsOf(crash),
    includeFiles: settings.includeProcInfo ? PROCESS_FILES : [],
    ...(crash.hostTid !== undefined && { tid: crash.hostTid }),
    ...(crash.pidfd !== undefined && { pidfd: crash.pidfd }),
  })
}

/** Whom the runtime is asked about: the process, or only its host name. */
export function subjectOf(crash: Crash, snapshot: ProcessSnapshot | undefined): LookupSubject {
  return {
    snapshot,
    hostname: crash.hostname,
    crash: factsOf(crash),
  }
}

function factsOf({ timestampTold: timestamp, innerPid: pid, uid, gid }: Crash): CrashFacts {
  return { timestamp, pid, uid, gid }
}
