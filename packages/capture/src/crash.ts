import { constants } from 'node:os'
import {
  type CrashFacts,
  type LookupSubject,
  type ProcessSnapshot,
  type SnapshotOptions,
  snapshotProcessWithin,
} from '@core-dump-handler/cri'
import type { ComposerSettings } from './settings/schema.ts'

/**
 * What the kernel reported of one crash, core(5): from the arguments of a pipe handler, or from a
 * socket's peer. Texts are '' and numbers undefined where it did not.
 */
export interface Crash {
  /** Soft RLIMIT_CORE, `%c`. */
  readonly limitSize: string
  /** comm of the crashing thread, `%e`; bytes that are not UTF-8 are U+FFFD. */
  readonly exeName: string
  /** The bytes of `exeName`, where it is not UTF-8. */
  readonly commBytes: Buffer | undefined
  /** Pid in the process's own pid namespace as text, `%p`. */
  readonly pid: string
  readonly signal: string
  readonly signalName: string
  /** Seconds since the epoch; of now where the kernel did not report it. */
  readonly timestamp: string
  /** The time as the kernel reported it (`%t`): only this one proves whose crash it is. */
  readonly kernelTimestamp: number | undefined
  readonly hostname: string
  /** With `!` for `/`, `%E`. */
  readonly pathname: string
  readonly hostPid: number | undefined
  /** The crashing thread in the initial pid namespace, `%I`. */
  readonly hostTid: number | undefined
  readonly innerPid: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly dumpMode: number | undefined
  /** Descriptor of the process, `%F`. */
  readonly pidfd: number | undefined
}

/** A crash of which `known` is known: empty texts, no numbers and the present time otherwise. */
export function createCrash(known: Partial<Omit<Crash, 'signalName'>>): Crash {
  const signal = known.signal ?? ''
  const [signalName = ''] =
    Object.entries(constants.signals).find(([, number]) => String(number) === signal) ?? []
  return {
    limitSize: '',
    exeName: '',
    commBytes: undefined,
    pid: '',
    signal,
    signalName,
    timestamp: String(Math.floor(Date.now() / 1000)),
    kernelTimestamp: undefined,
    hostname: '',
    pathname: '',
    hostPid: undefined,
    hostTid: undefined,
    innerPid: undefined,
    uid: undefined,
    gid: undefined,
    dumpMode: undefined,
    pidfd: undefined,
    ...known,
  }
}

/** The files of a process that INCLUDE_PROC_INFO keeps, in the order of v9. */
export const PROCESS_FILES: readonly string[] = ['auxv', 'cmdline', 'environ', 'maps', 'status']

/** `/proc/<host pid>` as it is now; undefined when there is no host pid. */
export async function snapshotCrash(
  crash: Crash,
  settings: ComposerSettings,
): Promise<ProcessSnapshot | undefined> {
  if (crash.hostPid === undefined) return undefined
  return snapshotProcessWithin(crash.hostPid, snapshotOptions(crash, settings))
}

/** What is read of the process, and what it must agree with. */
export function snapshotOptions(crash: Crash, settings: ComposerSettings): SnapshotOptions {
  return {
    root: settings.procRoot,
    crash: factsOf(crash),
    includeFiles: settings.includeProcInfo ? PROCESS_FILES : [],
    ...(crash.hostTid !== undefined && { tid: crash.hostTid }),
    ...(crash.pidfd !== undefined && { pidfd: crash.pidfd }),
  }
}

/** Whom the runtime is asked about: the process, or only its host name. */
export function lookupSubject(crash: Crash, snapshot: ProcessSnapshot | undefined): LookupSubject {
  return { snapshot, hostname: crash.hostname, crash: factsOf(crash) }
}

/** The executable's path, of the snapshot if known; '' otherwise. */
export function executableOf(crash: Crash, snapshot: ProcessSnapshot | undefined): string {
  return snapshot?.exe?.toString() ?? crash.pathname.replaceAll('!', '/')
}

/** ` of …` for a log line, with what is known of the crash; '' when nothing is. */
export function describeCrash(crash: Crash): string {
  const { exeName, signal, hostPid, hostname, kernelTimestamp } = crash
  const known = [
    exeName && `\`${exeName}\``,
    signal && `signal ${signal}`,
    hostPid !== undefined && `host pid ${hostPid}`,
    hostname && `host name \`${hostname}\``,
    kernelTimestamp !== undefined && `at ${kernelTimestamp}`,
  ].filter(Boolean)
  return known.length === 0 ? '' : ` of ${known.join(', ')}`
}

function factsOf({ kernelTimestamp: timestamp, innerPid: pid, uid, gid }: Crash): CrashFacts {
  return { timestamp, pid, uid, gid }
}
