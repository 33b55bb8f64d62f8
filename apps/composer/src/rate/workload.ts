import { type ProcessSnapshot, containerIds, podUid } from '@core-dump-handler/cri'
import type { Crash } from '../crash/crash.ts'

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
 * own scope only, so a checksum will do.
 */
export function keyOf({ scope, exe, signal }: Workload, anyExe = false): string {
  return `${scope}-${signal}-${anyExe ? 'any' : checksum(exe)}`
}

/** FNV-1a, 32 bits: node:zlib and node:crypto are not loaded by who may have to wait. */
function checksum(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
