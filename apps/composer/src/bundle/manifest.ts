import { hostname, release } from 'node:os'
import type { ProcessSnapshot } from '@core-dump-handler/cri'
import type { Crash } from '../crash/crash.ts'
import { composerVersion } from '../version.ts'
import { crashTime } from './crash-time.ts'
import type { BundleManifest, ManifestCrash } from './manifest-type.ts'

export type ManifestParts = Pick<
  BundleManifest,
  'uuid' | 'identity' | 'core' | 'timings' | 'problems'
> & { readonly crash: Crash; readonly snapshot: ProcessSnapshot | undefined }

/** The text of `<name>-manifest.json`. */
export function formatManifest({ uuid, crash, snapshot, ...rest }: ManifestParts): string {
  const manifest: BundleManifest = {
    schema: 'core-dump-handler/bundle@1',
    uuid,
    composer: composerVersion(),
    node: { hostname: hostname(), kernel: release() },
    crash: describeCrash(crash, snapshot),
    identity: rest.identity,
    core: rest.core,
    timings: rest.timings,
    problems: rest.problems,
  }
  return `${JSON.stringify(manifest, null, 2)}\n`
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
