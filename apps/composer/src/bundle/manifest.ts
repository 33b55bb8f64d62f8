import type { ProcessSnapshot } from '@core-dump-handler/cri'
import type { Crash } from '../crash/crash.ts'
import { composerVersion } from '../version.ts'
import {
  type BundleManifest,
  crashTime,
  createManifest,
  formatManifest,
  type ManifestCrash,
} from '@core-dump-handler/bundle'

export type ManifestParts = Pick<
  BundleManifest,
  'uuid' | 'identity' | 'core' | 'timings' | 'problems'
> & { readonly crash: Crash; readonly snapshot: ProcessSnapshot | undefined }

/** The text of `<name>-manifest.json`. */
export function manifestText({ crash, snapshot, ...rest }: ManifestParts): string {
  const composer = composerVersion()
  return formatManifest(
    createManifest({ ...rest, composer, crash: describeCrash(crash, snapshot) }),
  )
}

function describeCrash(crash: Crash, snapshot: ProcessSnapshot | undefined): ManifestCrash {
  const exe = snapshot?.exe?.toString() ?? crash.pathname.replaceAll('!', '/')
  const signal = /^\d{1,3}$/.test(crash.signal) ? Number(crash.signal) : undefined
  return withoutUndefined({
    time: crashTime(crash.timestamp),
    signal,
    signalName: crash.signalName === '' ? undefined : crash.signalName,
    comm: crash.exeName === '' ? undefined : crash.exeName,
    commHex: crash.commBytes?.toString('hex'),
    exe: exe === '' ? undefined : exe,
    hostPid: crash.hostPid,
    pid: crash.innerPid,
    tid: crash.hostTid,
    uid: crash.uid ?? snapshot?.status?.uid,
    gid: crash.gid ?? snapshot?.status?.gid,
    dumpMode: crash.dumpMode,
    coreLimit: crash.limitSize === '' ? undefined : crash.limitSize,
  })
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }

function withoutUndefined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<T>
}
