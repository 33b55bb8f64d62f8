import { hostname, release } from 'node:os'
import {
  type BundleManifest,
  crashTime,
  createManifest,
  formatManifest,
  type ManifestCrash,
} from '@core-dump-handler/bundle'
import type { ProcessSnapshot } from '@core-dump-handler/cri'
import { type Crash, executableOf } from '../crash.ts'

export type ManifestParts = Pick<
  BundleManifest,
  | 'uuid'
  | 'composer'
  | 'entry'
  | 'identity'
  | 'core'
  | 'fingerprint'
  | 'topFrame'
  | 'reportSkipped'
  | 'timings'
  | 'problems'
> & {
  readonly crash: Crash
  readonly snapshot: ProcessSnapshot | undefined
  readonly nodeHostname: string | undefined
}

/** The text of `<name>-manifest.json`. */
export function manifestText({ crash, snapshot, nodeHostname, ...rest }: ManifestParts): string {
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
