import { type ProcessSnapshot, containerIds, podUid } from '@core-dump-handler/cri'
import { type Crash, executableOf } from '../crash.ts'

/** What is known of a workload before the runtime is asked. */
export interface Workload {
  /** The uid of its pod, else the id of its container, else `host`. */
  readonly scope: string
  readonly exe: string
  readonly signal: string
}

/** The crashes that are counted together: those of a pod (or of the host), by executable and signal. */
export function workloadOf(crash: Crash, snapshot: ProcessSnapshot | undefined): Workload {
  const cgroup = snapshot?.cgroup?.toString() ?? ''
  const signal = /^\d{1,3}$/.test(crash.signal) ? crash.signal : 'x'
  const scope = podUid(cgroup) ?? containerIds(cgroup)[0] ?? 'host'
  return { scope, exe: executableOf(crash, snapshot), signal }
}

/** The crashes that share slots fairly: those of a pod, of a container, or of one host program. */
export function fairnessScope({ scope, exe }: Workload, { exeName }: Crash): string {
  return scope === 'host' ? `host ${exe} ${exeName}` : scope
}

/**
 * Names of a counter of this workload, most precise first: of the executable, of all executables
 * of the pod, of all pods. The process chooses its executable and can collide with another of its own
 * pod only, so a checksum will do.
 */
export function counterNames({ scope, exe, signal }: Workload): readonly string[] {
  return [`${scope}-${signal}-${checksum(exe)}`, `${scope}-${signal}-any`, 'any-x-any']
}

/** FNV-1a, 32 bits: node:zlib and node:crypto are not loaded while the process is held. */
function checksum(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
