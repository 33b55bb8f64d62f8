import { crc32 } from 'node:zlib'
import { type ProcessSnapshot, containerIds, podUid } from '@core-dump-handler/cri'
import type { Crash } from '../crash.ts'

/** What is known of a workload before the runtime has been asked. */
export interface Workload {
  /** Its pod's uid, else the id of its container, else `host`. */
  readonly scope: string
  readonly exe: string
  readonly signal: string
}

/** Whose crashes are counted together: a pod's (a host's), by executable and signal. */
export function workloadOf(crash: Crash, snapshot: ProcessSnapshot | undefined): Workload {
  const cgroup = snapshot?.cgroup?.toString() ?? ''
  const signal = /^\d{1,3}$/.test(crash.signal) ? crash.signal : 'x'
  const exe = snapshot?.exe?.toString() ?? crash.pathname.replaceAll('!', '/')
  return { scope: podUid(cgroup) ?? containerIds(cgroup)[0] ?? 'host', exe, signal }
}

/**
 * A file name for it. The executable is chosen by the process: it can collide with another of its
 * own scope only, so a checksum will do, and costs no loading of a hash.
 */
export function keyOf({ scope, exe, signal }: Workload, anyExe = false): string {
  return `${scope}-${signal}-${anyExe ? 'any' : crc32(exe).toString(16).padStart(8, '0')}`
}
